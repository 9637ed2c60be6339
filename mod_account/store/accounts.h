#ifndef ACCOUNT_STORE_ACCOUNTS_H
#define ACCOUNT_STORE_ACCOUNTS_H

#include "store/also.h"
#include "store/sessions.h"
#include "store/store.h"

typedef enum account_kind_e {
    ACCOUNT_USER_NAME,
    ACCOUNT_EMAIL,
    ACCOUNT_MOBILE,
    ACCOUNT_KINDS
} account_kind_e;

/* "user_name", "email", "mobile": as in the database and in the contract language. */
extern const char *const account_kind_names[ACCOUNT_KINDS];

typedef enum account_status_e {
    ACCOUNT_ACTIVE,
    ACCOUNT_PENDING, /* waits for its activation link */
    ACCOUNT_DISABLED,
} account_status_e;

/* Characters of the column attributes. */
#define ACCOUNT_ATTRIBUTES_MOST 10000

/* One row of the table account. Times are milliseconds UTC, 0 for never; texts may be NULL. */
typedef struct account_t {
    apr_int64_t id; /* 1 to 2^53 */
    const char *ref;
    const char *identifiers[ACCOUNT_KINDS]; /* as to be shown */
    apr_int64_t email_verified;
    apr_int64_t mobile_verified;
    const char *password; /* PHC string; NULL: none, and nothing matches */
    const char *role;
    account_status_e status;
    account_kind_e registered_kind;
    const char *registered_with;
    const char *attributes; /* a JSON object of texts, ACCOUNT_ATTRIBUTES_MOST long; never NULL */
    apr_int64_t created;
    apr_int64_t updated;
} account_t;

/* Finds who holds an identifier (canonical form, account_text_identifier; NULL: nobody). *account
 * is NULL when nobody does. */
apr_status_t account_find(const account_store_t *store, const char *canonical,
                          const account_t **account);

/* The same by number, in the store's realm. */
apr_status_t account_find_by_id(const account_store_t *store, apr_int64_t id,
                                const account_t **account);

/* The same by ref. */
apr_status_t account_find_by_ref(const account_store_t *store, const char *ref,
                                 const account_t **account);

/* Who holds an identifier, and what is known of it. */
typedef struct account_holder_t {
    const account_t *account;
    apr_int64_t verified; /* when the account proved that it is its own; 0: never */
    account_kind_e kind;  /* as it was claimed: a user name may be shaped like an address */
    /* The account never verified any address, and this is one that it began with: of its e-mail
     * addresses and numbers one of the oldest. A user name that is shaped like one is one only if
     * the account did not begin with another; what came later is none before it is verified. */
    int is_first;
} account_holder_t;

/* account_find with more to tell, for what goes to verified addresses only. *holder is NULL when
 * nobody holds it. */
apr_status_t account_find_holder(const account_store_t *store, const char *canonical,
                                 const account_holder_t **holder);

/* An e-mail address or mobile number that an account is found by: the one that it shows, and one
 * that it showed before and had proven. */
typedef struct account_address_t {
    const char *canonical;
    account_kind_e kind;
    apr_int64_t verified;
} account_address_t;

/* *addresses: of account_address_t, the oldest first; a user name that has the form of one is one,
 * of the kind of its form. */
apr_status_t account_find_addresses(const account_store_t *store, const account_t *account,
                                    apr_array_header_t **addresses);

/*
 * Creates an account with its identifiers, all or nothing. fields: id, created and updated are
 * given here; ref (32 hexadecimal digits of account_random_hex) too, when it is NULL; identifiers
 * are what to claim, in the order of account_kind_e; NULL ones are not claimed; two with one
 * canonical form are one claim. also may be NULL; its session begins for the account's id.
 *
 * Whom email_verified or mobile_verified say that the address is proven to belong to displaces an
 * account that holds it and never proved it: that one loses the identifier and no longer shows it.
 *
 * ACCOUNT_ECONFLICT: *taken is the first kind that another account holds; nothing is stored.
 * APR_EINVAL: an identifier has no canonical form.
 */
apr_status_t account_create(const account_store_t *store, const account_t *fields,
                            const account_also_t *also, const account_t **created,
                            account_kind_e *taken);

/* Changes the display form and claim of one e-mail address (email: NULL keeps it) and the
 * attributes, and sets updated. The old address' claim is given up, unless it was verified, or
 * is_first (account_holder_t) and also has a code, by which the new one can be verified: recovery
 * goes on using it. The new one is unverified. With an address that equals the old one in
 * canonical form only its display changes, and it stays as verified as it was. attributes are
 * compared and set (NULL keeps them), and so is the address: *changed is 0, and nothing stored,
 * when one of them is no longer account's. ACCOUNT_ECONFLICT: the address is another account's.
 * APR_EINVAL: it has no canonical form. *updated: the account as it is now. */
typedef struct account_profile_t {
    const account_t *account; /* as read */
    const char *email;
    const char *attributes;
    const account_also_t *also; /* stored when the change is; or NULL */
} account_profile_t;
apr_status_t account_update_profile(const account_store_t *store, const account_profile_t *profile,
                                    const account_t **updated, int *changed);

/*
 * Sets a new password if the old hash is still the stored one (so of two changes with one old
 * password one wins), ends all sessions of the account and every secret that was given out to reset
 * its password (codes of its addresses, tokens of its ref), and stores also when it is not NULL;
 * all or nothing. *changed: 0 when the stored hash was another by now, and nothing is stored.
 */
typedef struct account_password_change_t {
    const account_t *account;   /* as read: the old hash is account->password */
    const char *password;       /* the new PHC string */
    const account_also_t *also; /* or NULL: the session that goes on, a notice */
} account_password_change_t;
apr_status_t account_change_password(const account_store_t *store,
                                     const account_password_change_t *change, int *changed);

/* After a login with a hash of another cost: stores the new hash if the old one is still there;
 * sessions stay. */
apr_status_t account_rehash_password(const account_store_t *store, const account_t *account,
                                     const char *password);

/* Gives the account another role if it still has the one that was read, and sets updated. *changed:
 * 0 when it has another by now, or is gone. */
apr_status_t account_change_role(const account_store_t *store, const account_t *account,
                                 const char *role, int *changed);

/* Gives the account another status if it still has the one that was read, sets updated, and stores
 * also when it is not NULL; disabling ends all its sessions; all or nothing. *changed: 0 when it
 * has another by now, or is gone, and nothing is stored. */
apr_status_t account_change_status(const account_store_t *store, const account_t *account,
                                   account_status_e status, const account_also_t *also,
                                   int *changed);

/* An address that is proven to be the account's, by a code or link that went there. */
typedef struct account_ownership_t {
    const account_t *account; /* its id is looked at */
    account_kind_e kind;      /* ACCOUNT_EMAIL or ACCOUNT_MOBILE */
    const char *address;      /* as to be shown */
} account_ownership_t;

#endif
