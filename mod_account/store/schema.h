#ifndef ACCOUNT_STORE_SCHEMA_H
#define ACCOUNT_STORE_SCHEMA_H

#include "base/database.h"
#include "base/keys.h"

/* The version of the schema that this module works with: the number of the last file in
 * sql/DIALECT/. */
#define ACCOUNT_SCHEMA_VERSION 2

typedef struct account_schema_t {
    const account_keys_t *keys;
    int may_change; /* AccountSchema auto: create and migrate; else only check */
} account_schema_t;

/*
 * An on_connect of account_database_config_t; baton is an account_schema_t. Creates or migrates the
 * tables where that is allowed, under GET_LOCK (mysql) or a transaction (sqlite3); each migration
 * is recorded after its last statement, and every statement may be run again, so one that stopped
 * half-way is resumed. Then compares the stored fingerprint with the keys: it must be one of them;
 * the first key's is stored in its place. ACCOUNT_EDATABASE, with a log line that says what to do:
 * tables missing or old and may_change off (names the files to run), tables newer than this module,
 * not allowed to create, foreign key file.
 */
apr_status_t account_schema_check(account_db_t *db, void *baton);

#endif
