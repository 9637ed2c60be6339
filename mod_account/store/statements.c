#include "store/statements.h"

/* One row of account, as account_row_read takes it. */
#define ACCOUNT_COLUMNS                                                                            \
    "a.id, a.ref, a.user_name, a.email, a.mobile, a.email_verified, a.mobile_verified, "           \
    "a.password, a.role, a.status, a.registered_kind, a.registered_with, a.attributes, "           \
    "a.created, a.updated"

#define SESSION_COLUMNS "s.created, s.seen, s.expires, s.idle, s.address, s.agent"

/* Of an account; its id to its owner are the first digits of the digest. */
#define SESSIONS_OF "account_session s WHERE s.realm = %s AND s.account = %lld "
#define SESSION_LIVES "AND s.expires > %lld AND s.seen + s.idle > %lld "

#define CODE_INSERT                                                                                \
    "INSERT INTO account_code (realm, purpose, target, digest, tries, expires, used, created) "    \
    "VALUES (%s, %s, %s, %s, %lld, %lld, 0, %lld)"
#define CODE_REPLACE "digest = %s, tries = %lld, expires = %lld, used = 0, created = %lld"

#define CODE_END(purposes)                                                                         \
    "UPDATE account_code SET used = %lld "                                                         \
    "WHERE realm = %s AND target = %s AND purpose IN (" purposes ") AND used = 0"

/* One text for both dialects. */
#define BOTH(sql)                                                                                  \
    {                                                                                              \
        sql, NULL                                                                                  \
    }

/* Placeholders in one order: what is set, then the key, then the guards. Where an UPDATE's row
 * count decides who was first, the guards are the decision. */
const account_statement_t account_statements[ACCOUNT_SQL_COUNT] = {
    [ACCOUNT_SQL_SCHEMA_EXISTS] = {"schema-exists",
                                   {"SELECT COUNT(*) FROM information_schema.tables "
                                    "WHERE table_schema = DATABASE() "
                                    "AND table_name = 'account_schema'",
                                    "SELECT COUNT(*) FROM sqlite_master "
                                    "WHERE type = 'table' AND name = 'account_schema'"}},
    [ACCOUNT_SQL_SCHEMA_READ] = {"schema-read",
                                 BOTH("SELECT version, fingerprint FROM account_schema")},
    [ACCOUNT_SQL_SCHEMA_SIGN] = {"schema-sign", BOTH("UPDATE account_schema SET fingerprint = %s "
                                                     "WHERE fingerprint = %s")},
    /* MySQL only: its DDL knows no transactions. A name of a lock has 64 characters at most. */
    [ACCOUNT_SQL_SCHEMA_LOCK] = {"schema-lock",
                                 BOTH("SELECT GET_LOCK(LEFT(CONCAT('account.', DATABASE()), 64), "
                                      "2)")},
    [ACCOUNT_SQL_SCHEMA_UNLOCK] = {"schema-unlock",
                                   BOTH("SELECT RELEASE_LOCK(LEFT(CONCAT('account.', DATABASE()), "
                                        "64))")},
    /* sqlite3 only. */
    [ACCOUNT_SQL_SCHEMA_JOURNAL] = {"schema-journal", BOTH("PRAGMA journal_mode")},

    [ACCOUNT_SQL_ACCOUNT_BY_IDENTIFIER] = {"account-by-identifier",
                                           BOTH("SELECT " ACCOUNT_COLUMNS ", i.verified, i.kind "
                                                "FROM account_identifier i "
                                                "JOIN account a ON a.id = i.account "
                                                "WHERE i.realm = %s AND i.value = %s")},
    [ACCOUNT_SQL_ACCOUNT_BY_ID] = {"account-by-id",
                                   BOTH("SELECT " ACCOUNT_COLUMNS " FROM account a "
                                        "WHERE a.realm = %s AND a.id = %lld")},
    [ACCOUNT_SQL_ACCOUNT_BY_REF] = {"account-by-ref",
                                    BOTH("SELECT " ACCOUNT_COLUMNS " FROM account a "
                                         "WHERE a.realm = %s AND a.ref = %s")},
    [ACCOUNT_SQL_ACCOUNT_INSERT] =
        {"account-insert",
         BOTH("INSERT INTO account (ref, realm, user_name, email, mobile, email_verified, "
              "mobile_verified, password, role, status, registered_kind, registered_with, "
              "attributes, created, updated) "
              "VALUES (%s, %s, %s, %s, %s, %lld, %lld, %s, %s, %s, %s, %s, %s, %lld, %lld)")},
    [ACCOUNT_SQL_ACCOUNT_SET_PROFILE] =
        {"account-set-profile",
         BOTH("UPDATE account SET attributes = %s, updated = %lld "
              "WHERE realm = %s AND id = %lld AND attributes = %s AND COALESCE(email, '') = %s")},
    [ACCOUNT_SQL_ACCOUNT_SHOW_EMAIL] = {"account-show-email",
                                        BOTH("UPDATE account SET email = %s "
                                             "WHERE realm = %s AND id = %lld")},
    [ACCOUNT_SQL_ACCOUNT_SHOW_MOBILE] = {"account-show-mobile",
                                         BOTH("UPDATE account SET mobile = %s "
                                              "WHERE realm = %s AND id = %lld")},
    [ACCOUNT_SQL_ACCOUNT_PROVE_EMAIL] =
        {"account-prove-email",
         BOTH("UPDATE account SET email_verified = %lld, updated = %lld, "
              "status = CASE WHEN status = 'pending' THEN 'active' ELSE status END "
              "WHERE realm = %s AND id = %lld")},
    [ACCOUNT_SQL_ACCOUNT_PROVE_MOBILE] =
        {"account-prove-mobile",
         BOTH("UPDATE account SET mobile_verified = %lld, updated = %lld, "
              "status = CASE WHEN status = 'pending' THEN 'active' ELSE status END "
              "WHERE realm = %s AND id = %lld")},
    /* What is shown goes last: MySQL lets an assignment see those before it. */
    [ACCOUNT_SQL_ACCOUNT_HIDE] =
        {"account-hide",
         BOTH("UPDATE account SET "
              "email_verified = CASE WHEN email = %s THEN 0 ELSE email_verified END, "
              "mobile_verified = CASE WHEN mobile = %s THEN 0 ELSE mobile_verified END, "
              "user_name = CASE WHEN user_name = %s THEN NULL ELSE user_name END, "
              "email = CASE WHEN email = %s THEN NULL ELSE email END, "
              "mobile = CASE WHEN mobile = %s THEN NULL ELSE mobile END, updated = %lld "
              "WHERE realm = %s AND id = %lld")},
    [ACCOUNT_SQL_ACCOUNT_SET_EMAIL] = {"account-set-email",
                                       BOTH("UPDATE account SET email = %s, email_verified = %lld "
                                            "WHERE realm = %s AND id = %lld")},
    [ACCOUNT_SQL_ACCOUNT_CHANGE_PASSWORD] =
        {"account-change-password",
         BOTH("UPDATE account SET password = %s, updated = %lld "
              "WHERE realm = %s AND id = %lld AND COALESCE(password, '') = %s")},
    /* Waits for who is changing the account, and finds it no longer if its password has become
     * another. It counts, because a cluster with several writing nodes compares changes, not locks.
     */
    [ACCOUNT_SQL_ACCOUNT_HOLD] = {"account-hold",
                                  BOTH(
                                      "UPDATE account SET logins = logins + 1 WHERE realm = %s AND "
                                      "id = %lld AND status = 'active' AND "
                                      "COALESCE(password, '') = %s")},
    /* The same whatever its password. */
    [ACCOUNT_SQL_ACCOUNT_WAIT] = {"account-wait", BOTH("UPDATE account SET logins = logins + 1 "
                                                       "WHERE realm = %s AND id = %lld")},
    [ACCOUNT_SQL_ACCOUNT_REHASH_PASSWORD] =
        {"account-rehash-password",
         BOTH("UPDATE account SET password = %s WHERE realm = %s AND id = %lld AND password = %s")},
    [ACCOUNT_SQL_ACCOUNT_RESET_PASSWORD] = {"account-reset-password",
                                            BOTH("UPDATE account SET password = %s, updated = %lld "
                                                 "WHERE realm = %s AND id = %lld "
                                                 "AND status IN ('active', 'pending')")},
    [ACCOUNT_SQL_ACCOUNT_SET_ATTRIBUTES] =
        {"account-set-attributes", BOTH("UPDATE account SET attributes = %s, updated = %lld "
                                        "WHERE realm = %s AND id = %lld AND attributes = %s")},
    [ACCOUNT_SQL_ACCOUNT_CHANGE_ROLE] = {"account-change-role",
                                         BOTH("UPDATE account SET role = %s, updated = %lld "
                                              "WHERE realm = %s AND id = %lld AND role = %s")},
    /* Any other status counts as disabled. */
    [ACCOUNT_SQL_ACCOUNT_CHANGE_STATUS] =
        {"account-change-status",
         BOTH("UPDATE account SET status = %s, updated = %lld WHERE realm = %s AND id = %lld AND "
              "CASE WHEN status IN ('active', 'pending') THEN status ELSE 'disabled' END = %s")},
    [ACCOUNT_SQL_IDENTIFIER_READ] = {"identifier-read",
                                     BOTH("SELECT account, verified FROM account_identifier "
                                          "WHERE realm = %s AND value = %s")},
    [ACCOUNT_SQL_IDENTIFIER_INSERT] =
        {"identifier-insert", BOTH("INSERT INTO account_identifier (realm, value, account, kind, "
                                   "verified, created) "
                                   "VALUES (%s, %s, %lld, %s, %lld, %lld)")},
    [ACCOUNT_SQL_IDENTIFIER_GIVE_UP] = {"identifier-give-up",
                                        BOTH("DELETE FROM account_identifier "
                                             "WHERE realm = %s AND value = %s AND account = %lld "
                                             "AND kind = %s AND verified = 0")},
    [ACCOUNT_SQL_IDENTIFIER_GIVE_UP_OTHERS] =
        {"identifier-give-up-others",
         BOTH("DELETE FROM account_identifier "
              "WHERE realm = %s AND account = %lld AND kind = %s AND value <> %s")},
    [ACCOUNT_SQL_IDENTIFIER_SET_VERIFIED] =
        {"identifier-set-verified", BOTH("UPDATE account_identifier SET verified = %lld "
                                         "WHERE realm = %s AND value = %s AND account = %lld")},
    [ACCOUNT_SQL_IDENTIFIER_DISPLACE] = {"identifier-displace",
                                         BOTH(
                                             "DELETE FROM account_identifier WHERE realm = %s "
                                             "AND value = %s AND account = %lld AND verified = 0")},
    [ACCOUNT_SQL_IDENTIFIERS] =
        {"identifiers", BOTH("SELECT value, kind, verified, created FROM account_identifier "
                             "WHERE realm = %s AND account = %lld ORDER BY created, value")},

    [ACCOUNT_SQL_SESSION_FIND] = {"session-find",
                                  BOTH("SELECT " ACCOUNT_COLUMNS ", " SESSION_COLUMNS
                                       " FROM account_session s JOIN account a ON a.id = s.account "
                                       "WHERE s.realm = %s AND s.digest = %s")},
    [ACCOUNT_SQL_SESSION_INSERT] =
        {"session-insert", BOTH("INSERT INTO account_session (realm, digest, account, created, "
                                "seen, expires, idle, address, agent) VALUES "
                                "(%s, %s, %lld, %lld, %lld, %lld, %lld, %s, %s)")},
    [ACCOUNT_SQL_SESSION_SEEN] = {"session-seen",
                                  BOTH("UPDATE account_session SET seen = %lld "
                                       "WHERE realm = %s AND digest = %s AND seen < %lld")},
    [ACCOUNT_SQL_SESSION_END] = {"session-end", BOTH("DELETE FROM account_session "
                                                     "WHERE realm = %s AND digest = %s")},
    [ACCOUNT_SQL_SESSION_END_EXPIRED] =
        {"session-end-expired",
         BOTH("DELETE FROM account_session WHERE realm = %s AND account = %lld "
              "AND (expires <= %lld OR seen + idle <= %lld)")},
    [ACCOUNT_SQL_SESSION_END_ALL] =
        {"session-end-all", BOTH("DELETE FROM account_session WHERE realm = %s AND account = "
                                 "%lld")},
    /* All but some, those that were used last. MySQL takes a LIMIT in a table of its own only. */
    [ACCOUNT_SQL_SESSION_END_OLDEST] =
        {"session-end-oldest",
         BOTH("DELETE FROM account_session WHERE realm = %s AND account = %lld AND digest NOT IN "
              "(SELECT digest FROM (SELECT s.digest FROM " SESSIONS_OF
              "ORDER BY s.seen DESC, s.created DESC, s.digest LIMIT %lld) AS kept)")},
    [ACCOUNT_SQL_SESSION_COUNT] = {"session-count",
                                   BOTH("SELECT COUNT(*) FROM " SESSIONS_OF SESSION_LIVES)},
    [ACCOUNT_SQL_SESSION_LIST] =
        {"session-list", BOTH("SELECT s.digest, " SESSION_COLUMNS " FROM " SESSIONS_OF SESSION_LIVES
                              "ORDER BY s.seen DESC, s.created DESC, s.digest LIMIT %lld")},
    [ACCOUNT_SQL_SESSION_BY_ID] = {"session-by-id",
                                   BOTH("SELECT 1 FROM " SESSIONS_OF
                                        "AND SUBSTR(s.digest, 1, 16) = %s " SESSION_LIVES)},
    [ACCOUNT_SQL_SESSION_END_BY_ID] =
        {"session-end-by-id",
         BOTH("DELETE FROM account_session WHERE realm = %s AND account = %lld "
              "AND SUBSTR(digest, 1, 16) = %s AND expires > %lld AND seen + idle > %lld")},
    [ACCOUNT_SQL_SESSION_END_OTHERS] =
        {"session-end-others",
         BOTH("DELETE FROM account_session WHERE realm = %s AND account = %lld "
              "AND SUBSTR(digest, 1, 16) <> %s")},

    [ACCOUNT_SQL_CODE_READ] = {"code-read",
                               BOTH("SELECT digest, tries, expires, used FROM account_code "
                                    "WHERE realm = %s AND purpose = %s AND target = %s")},
    /* In the place of an earlier one. */
    [ACCOUNT_SQL_CODE_PUT] =
        {"code-put",
         {CODE_INSERT " ON DUPLICATE KEY UPDATE " CODE_REPLACE,
          CODE_INSERT " ON CONFLICT (realm, purpose, target) DO UPDATE SET " CODE_REPLACE}},
    [ACCOUNT_SQL_CODE_TRY] = {"code-try", BOTH("UPDATE account_code SET tries = tries - 1 "
                                               "WHERE realm = %s AND purpose = %s AND target = %s "
                                               "AND tries > 0 AND used = 0 AND expires > %lld")},
    [ACCOUNT_SQL_CODE_USE] = {"code-use", BOTH("UPDATE account_code SET used = %lld "
                                               "WHERE realm = %s AND purpose = %s AND target = %s "
                                               "AND digest = %s AND used = 0 AND expires > %lld")},
    /* What can no longer be used: of an address, whose password has changed, or which is no longer
     * the account's; of an account, whose password has changed, or whose addresses have. */
    [ACCOUNT_SQL_CODE_END_RECOVERY] = {"code-end-recovery", BOTH(CODE_END("'reset', 'any'"))},
    [ACCOUNT_SQL_CODE_END_ADDRESS] = {"code-end-address",
                                      BOTH(CODE_END("'reset', 'any', 'login'"))},
    [ACCOUNT_SQL_CODE_END_TOKENS] = {"code-end-tokens", BOTH(CODE_END("'answer', 'link'"))},
    [ACCOUNT_SQL_CODE_END_MAILED] = {"code-end-mailed", BOTH(CODE_END("'link', 'activate'"))},

    /* used first: MySQL lets an assignment see those before it. */
    [ACCOUNT_SQL_LIMIT_TAKE] =
        {"limit-take",
         BOTH("UPDATE account_limit SET "
              "used = CASE WHEN until <= %lld THEN 1 ELSE used + 1 END, "
              "until = CASE WHEN until <= %lld THEN %lld ELSE until END "
              "WHERE realm = %s AND subject = %s AND (until <= %lld OR used < %lld)")},
    [ACCOUNT_SQL_LIMIT_READ] = {"limit-read", BOTH("SELECT used, until FROM account_limit "
                                                   "WHERE realm = %s AND subject = %s")},
    /* That somebody else made the row meanwhile must not end the transaction; and MySQL is to lock
     * the row for writing, not for reading, so that many at once don't wait for each other. */
    [ACCOUNT_SQL_LIMIT_OPEN] =
        {"limit-open",
         {"INSERT INTO account_limit (realm, subject, used, until) VALUES (%s, %s, 0, 0) "
          "ON DUPLICATE KEY UPDATE used = used",
          "INSERT INTO account_limit (realm, subject, used, until) VALUES (%s, %s, 0, 0) "
          "ON CONFLICT (realm, subject) DO NOTHING"}},
    [ACCOUNT_SQL_LIMIT_RETURN] =
        {"limit-return", BOTH("UPDATE account_limit SET used = used - 1 "
                              "WHERE realm = %s AND subject = %s AND used > 0 AND until > %lld")},

    [ACCOUNT_SQL_MESSAGE_INSERT] =
        {"message-insert",
         BOTH("INSERT INTO account_message (realm, "
              "ref, channel, recipient, name, content, created, expires, due, attempts, lease, "
              "down, done) VALUES (%s, %s, %s, %s, %s, %s, %lld, %lld, %lld, 0, '', 0, 0)")},
    [ACCOUNT_SQL_MESSAGE_DUE] =
        {"message-due",
         BOTH("SELECT realm, channel FROM account_message "
              "WHERE done = 0 AND expires > %lld AND due <= %lld GROUP BY realm, channel")},
    /* The guards stand twice: who waited for another one's rows finds them taken. The derived table
     * is for MySQL, which else refuses LIMIT there. */
    [ACCOUNT_SQL_MESSAGE_CLAIM] =
        {"message-claim",
         BOTH("UPDATE account_message SET lease = %s, "
              "due = %lld, attempts = attempts + 1 "
              "WHERE realm = %s AND channel = %s AND done = 0 AND due <= %lld AND expires > %lld "
              "AND ref IN (SELECT ref FROM (SELECT ref FROM account_message "
              "WHERE realm = %s AND channel = %s AND done = 0 AND due <= %lld AND expires > %lld "
              "ORDER BY due LIMIT %lld) AS q)")},
    [ACCOUNT_SQL_MESSAGE_CLAIMED] =
        {"message-claimed",
         BOTH("SELECT ref, recipient, name, "
              "content, expires, attempts, created FROM account_message "
              "WHERE realm = %s AND channel = %s AND done = 0 AND due = %lld AND lease = %s "
              "ORDER BY created, ref")},
    [ACCOUNT_SQL_MESSAGE_FINISH] =
        {"message-finish", BOTH("UPDATE account_message SET done = %lld, "
                                "content = '', down = 0, lease = '' "
                                "WHERE realm = %s AND ref = %s AND lease = %s AND done = 0")},
    [ACCOUNT_SQL_MESSAGE_FINISHED] =
        {"message-finished", BOTH("SELECT 1 FROM account_message "
                                  "WHERE realm = %s AND channel = %s AND done >= %lld LIMIT 1")},
    [ACCOUNT_SQL_MESSAGE_POSTPONE] =
        {"message-postpone", BOTH("UPDATE account_message "
                                  "SET due = %lld, down = %lld, lease = '' "
                                  "WHERE realm = %s AND ref = %s AND lease = %s AND done = 0")},
    [ACCOUNT_SQL_MESSAGE_WAKE] =
        {"message-wake", BOTH("UPDATE account_message SET due = %lld, down = 0 "
                              "WHERE realm = %s AND channel = %s AND down = 1 AND lease = '' "
                              "AND done = 0")},
    [ACCOUNT_SQL_MESSAGE_DOWN] =
        {"message-down",
         BOTH("SELECT 1 FROM account_message "
              "WHERE realm = %s AND channel = %s AND down = 1 AND expires > %lld "
              "AND EXISTS (SELECT 1 FROM account_message AS young WHERE young.realm = %s "
              "AND young.channel = %s AND young.done = 0 AND young.expires > %lld "
              "AND young.created > %lld) LIMIT 1")},
    [ACCOUNT_SQL_MESSAGE_OLDEST] = {"message-oldest",
                                    BOTH("SELECT MIN(created) "
                                         "FROM account_message WHERE done = 0 AND expires > %lld")},

    [ACCOUNT_SQL_CAPTCHA_INSERT] = {"captcha-insert", BOTH("INSERT INTO account_captcha (realm, "
                                                           "id, expires) VALUES (%s, %s, %lld)")},
    [ACCOUNT_SQL_CAPTCHA_READ] = {"captcha-read",
                                  BOTH("SELECT 1 FROM account_captcha "
                                       "WHERE realm = %s AND id = %s AND expires > %lld")},
    [ACCOUNT_SQL_CAPTCHA_USE] = {"captcha-use",
                                 BOTH("DELETE FROM account_captcha "
                                      "WHERE realm = %s AND id = %s AND expires > %lld")},

    [ACCOUNT_SQL_POINT_SUM] =
        {"point-sum",
         BOTH("SELECT SUM(amount), "
              "SUM(CASE WHEN created >= %lld AND created < %lld THEN amount ELSE 0 END) "
              "FROM account_point WHERE account = %lld")},
    [ACCOUNT_SQL_POINT_COUNT] =
        {"point-count", BOTH("SELECT COUNT(*) FROM account_point "
                             "WHERE account = %lld AND created >= %lld AND created < %lld")},
    [ACCOUNT_SQL_POINT_LIST] =
        {"point-list",
         BOTH("SELECT amount, description, created "
              "FROM account_point WHERE account = %lld AND created >= %lld AND created < %lld "
              "ORDER BY created DESC, id DESC LIMIT %lld OFFSET %lld")},

    /* Some rows at a time, found by an index. SQLite has no LIMIT in a DELETE; MySQL would look at
     * every row if it had an IN. */
    [ACCOUNT_SQL_SWEEP_SESSIONS] =
        {"sweep-sessions",
         {"DELETE FROM account_session WHERE ends <= %lld ORDER BY ends LIMIT %lld",
          "DELETE FROM account_session WHERE (realm, digest) IN (SELECT realm, digest "
          "FROM account_session WHERE MIN(expires, seen + idle) <= %lld LIMIT %lld)"}},
    [ACCOUNT_SQL_SWEEP_CODES] =
        {"sweep-codes",
         {"DELETE FROM account_code WHERE expires <= %lld ORDER BY expires LIMIT %lld",
          "DELETE FROM account_code WHERE (realm, purpose, target) IN (SELECT realm, purpose, "
          "target "
          "FROM account_code WHERE expires <= %lld LIMIT %lld)"}},
    [ACCOUNT_SQL_SWEEP_MESSAGES] =
        {"sweep-messages",
         {"DELETE FROM account_message WHERE done > 0 AND done <= %lld ORDER BY done LIMIT %lld",
          "DELETE FROM account_message WHERE (realm, ref) IN (SELECT realm, ref "
          "FROM account_message WHERE done > 0 AND done <= %lld LIMIT %lld)"}},
    [ACCOUNT_SQL_SWEEP_CAPTCHAS] =
        {"sweep-captchas",
         {"DELETE FROM account_captcha WHERE expires <= %lld ORDER BY expires LIMIT %lld",
          "DELETE FROM account_captcha WHERE (realm, id) IN (SELECT realm, id "
          "FROM account_captcha WHERE expires <= %lld LIMIT %lld)"}},
    [ACCOUNT_SQL_SWEEP_LIMITS] =
        {"sweep-limits",
         {"DELETE FROM account_limit WHERE until <= %lld ORDER BY until LIMIT %lld",
          "DELETE FROM account_limit WHERE (realm, subject) IN (SELECT realm, subject "
          "FROM account_limit WHERE until <= %lld LIMIT %lld)"}},
    [ACCOUNT_SQL_SWEEP_UNSENT] = {"sweep-unsent",
                                  BOTH("SELECT realm, ref, channel "
                                       "FROM account_message WHERE done = 0 AND expires <= %lld "
                                       "ORDER BY expires LIMIT %lld")},
    [ACCOUNT_SQL_MESSAGE_DELETE] =
        {"message-delete", BOTH("DELETE FROM account_message "
                                "WHERE realm = %s AND ref = %s AND done = 0 AND expires <= %lld")},

    /* Each by an index, without the rows. */
    [ACCOUNT_SQL_CENSUS_SESSIONS] =
        {"census-sessions",
         {"SELECT COUNT(*) FROM account_session WHERE realm = %s AND ends > %lld",
          "SELECT COUNT(*) FROM account_session WHERE realm = %s AND "
          "MIN(expires, seen + idle) > %lld"}},
    [ACCOUNT_SQL_CENSUS_OUTBOX] = {"census-outbox",
                                   BOTH("SELECT COUNT(*), MIN(created) FROM account_message "
                                        "WHERE realm = %s AND done = 0 AND expires > %lld")},
    [ACCOUNT_SQL_CENSUS_ACCOUNTS] = {"census-accounts",
                                     BOTH("SELECT COUNT(*) FROM account WHERE realm = %s")},
};
