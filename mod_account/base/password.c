#include "base/password.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#ifdef HAVE_ARGON2
#include <argon2.h>
#endif

#include "base/phc.h"
#include "base/text.h"

#ifdef HAVE_ARGON2
/* What the kernel gives at once where it may; a rest would be had in 4 KiB each. */
#define HUGE_PAGE ((size_t)2 << 20)

static size_t in_huge_pages(size_t size)
{
    return size < HUGE_PAGE ? size : (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
}

/* Mapped, so that the memory is the system's again after each hash: malloc would keep it, once for
 * every thread that ever hashed. Returns as argon2.h wants it. */
static int map_memory(uint8_t **memory, size_t size)
{
    void *mapped;

    size = in_huge_pages(size);
    mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
        return ARGON2_MEMORY_ALLOCATION_ERROR;
    }
#ifdef MADV_DONTDUMP
    madvise(mapped, size, MADV_DONTDUMP);
#endif
#ifdef MADV_HUGEPAGE
    madvise(mapped, size, MADV_HUGEPAGE); /* else a quarter of the time goes to page faults */
#endif
    *memory = mapped;
    return ARGON2_OK;
}

static void unmap_memory(uint8_t *memory, size_t size)
{
    munmap(memory, in_huge_pages(size));
}

static apr_status_t argon2id(unsigned char *tag, const account_phc_t *phc, const char *password)
{
    argon2_context context = {
        .out = tag,
        .outlen = (uint32_t)phc->tag_length,
        .pwd = (uint8_t *)password,
        .pwdlen = (uint32_t)strlen(password),
        .salt = (uint8_t *)phc->salt,
        .saltlen = (uint32_t)phc->salt_length,
        .t_cost = phc->cost.passes,
        .m_cost = phc->cost.memory,
        .lanes = phc->cost.lanes,
        .threads = 1, /* the tag is the same, and who called us counts processors */
        .version = ARGON2_VERSION_13,
        .allocate_cbk = map_memory,
        .free_cbk = unmap_memory,
        .flags = ARGON2_DEFAULT_FLAGS,
    };

    switch (argon2_ctx(&context, Argon2_id)) {
    case ARGON2_OK:
        return APR_SUCCESS;
    case ARGON2_MEMORY_ALLOCATION_ERROR:
        return APR_ENOMEM;
    default:
        return APR_EGENERAL;
    }
}
#else
static apr_status_t argon2id(unsigned char *tag, const account_phc_t *phc, const char *password)
{
    (void)tag;
    (void)phc;
    (void)password;
    return APR_ENOTIMPL;
}
#endif

static apr_status_t scrypt(unsigned char *tag, const account_phc_t *phc, const char *password)
{
    uint64_t n = UINT64_C(1) << phc->cost.memory;
    uint32_t r = phc->cost.passes;
    uint32_t p = phc->cost.lanes;
    /* What OpenSSL counts (B, V, T and X of RFC 7914), and a little more. */
    uint64_t memory = 128 * r * (n + p + 2) + 4096;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_SCRYPT, NULL);
    EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (char *)password,
                                          strlen(password)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)phc->salt, phc->salt_length),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_construct_end(),
    };
    apr_status_t rv = APR_EGENERAL;

    if (context != NULL && EVP_KDF_derive(context, tag, phc->tag_length, params) == 1) {
        rv = APR_SUCCESS;
    }
    else {
        rv = ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE ? APR_ENOMEM
                                                                           : APR_EGENERAL;
        ERR_clear_error();
    }
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return rv;
}

/* The tag that password, already normalised, has under phc's cost and salt. */
static apr_status_t compute(unsigned char *tag, const account_phc_t *phc, const char *password)
{
    return phc->cost.algorithm == ACCOUNT_ARGON2ID ? argon2id(tag, phc, password)
                                                   : scrypt(tag, phc, password);
}

/* The normalised copy of a password, if it is one, shall not stay in the pool. */
static void forget(const char *normal, const char *password)
{
    if (normal != NULL && normal != password) {
        OPENSSL_cleanse((char *)normal, strlen(normal));
    }
}

apr_status_t account_password_hash(const char **phc, const char *password,
                                   const account_password_cost_t *cost,
                                   const account_random_t *random, apr_pool_t *pool)
{
    const char *normal = account_text_nfc(pool, password);
    account_phc_t parts = {
        .cost = *cost,
        .salt_length = ACCOUNT_SALT_BYTES,
        .tag_length = ACCOUNT_TAG_BYTES,
    };
    apr_status_t rv;

    if (normal == NULL) {
        return APR_EINVAL;
    }
    rv = random->fn(random->baton, parts.salt, parts.salt_length);
    if (rv != APR_SUCCESS) {
        goto leave;
    }
    rv = compute(parts.tag, &parts, normal);
    if (rv != APR_SUCCESS) {
        goto leave;
    }
    *phc = account_phc_write(&parts, pool);

leave:
    OPENSSL_cleanse(&parts, sizeof(parts));
    forget(normal, password);
    return rv;
}

apr_status_t account_password_verify(int *matches, const char *phc, const char *password,
                                     apr_pool_t *pool)
{
    unsigned char tag[ACCOUNT_TAG_BYTES_MAX];
    const char *normal = NULL;
    apr_status_t rv = APR_SUCCESS;
    account_phc_t parts;

    *matches = 0;
    if (!account_phc_read(&parts, phc)) {
        goto leave;
    }
    normal = account_text_nfc(pool, password);
    if (normal == NULL) {
        goto leave;
    }
    rv = compute(tag, &parts, normal);
    if (rv != APR_SUCCESS) {
        goto leave;
    }
    *matches = CRYPTO_memcmp(tag, parts.tag, parts.tag_length) == 0;

leave:
    OPENSSL_cleanse(tag, sizeof(tag));
    OPENSSL_cleanse(&parts, sizeof(parts));
    forget(normal, password);
    return rv;
}
