#ifndef ACCOUNT_STORE_SCHEMA_SQL_H
#define ACCOUNT_STORE_SCHEMA_SQL_H

#include "base/database.h"

/* One file of sql/DIALECT/, made into C by embed.awk. */
typedef struct account_migration_t {
    account_dialect_e dialect;
    int version; /* the number that its name begins with */
    const char *file;
    const char *const *statements; /* up to a NULL; the last one records the version */
} account_migration_t;

/* By dialect, ascending version. */
extern const account_migration_t account_migrations[];
extern const int account_migration_count;

#endif
