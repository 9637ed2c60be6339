#ifndef ACCOUNT_UNIT_FIXTURE_H
#define ACCOUNT_UNIT_FIXTURE_H

#include "base/keys.h"
#include "contract/contract.h"

/* What several unit programs set up in the same way. */

#define FIXTURE_NOW APR_INT64_C(1790000000000)

/*
 * The lines of a configuration as httpd would hand them to the compiler: comments left out,
 * continued lines joined, containers nested, "<AccountRoute a GET /b>" without its last ">". A line
 * that stands for all of them; NULL: a container is not closed. Good enough for files that are
 * right.
 */
const account_line_t *fixture_lines(const char *text, const char *file, apr_pool_t *pool);

/* Where a file of the source is: unit programs run in its root, those of "make check" elsewhere. */
const char *fixture_path(const char *path, apr_pool_t *pool);

/* A file's text. NULL: it can't be read. */
const char *fixture_read(const char *path, apr_pool_t *pool);

/* The same of a file. NULL: it can't be read. */
const account_line_t *fixture_file(const char *path, apr_pool_t *pool);

/* The first contract of the lines, compiled. *error: what the compiler complains about, with the
 * line. */
const account_contract_t *fixture_compile(const account_line_t *lines, const char **error,
                                          apr_pool_t *pool);

/* The contract of a text; complains with a failed check and gives NULL. */
const account_contract_t *fixture_contract(const char *text, apr_pool_t *pool);

/* Keys that every run has. */
const account_keys_t *fixture_keys(apr_pool_t *pool);

/* Text that can be printed in TAP: what is not printable ASCII is escaped, long texts are cut. Of
 * static memory, in turn of four. */
const char *fixture_shown(const char *text);

#endif
