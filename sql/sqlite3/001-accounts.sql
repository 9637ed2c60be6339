-- Accounts, what they are found by, their sessions and one-time codes.
--
-- Run by the module (AccountSchema auto) or by hand; every statement may be run again. A statement
-- ends with a semicolon at the end of a line, a comment has a line of its own. By hand, run
-- PRAGMA journal_mode=WAL first: the file keeps it.
--
-- Times are milliseconds since 1970 UTC, 0 for never. Texts are compared as bytes.

-- One row: which files were run, and which key file the digests below belong to.
CREATE TABLE IF NOT EXISTS account_schema (
    version INTEGER NOT NULL,
    fingerprint TEXT NOT NULL
);

-- ref: random, how the module finds the id of a row it has just inserted.
-- user_name, email, mobile: as to be shown; identifier decides who has them.
-- attributes: a JSON object.
CREATE TABLE IF NOT EXISTS account (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ref TEXT NOT NULL UNIQUE,
    realm TEXT NOT NULL,
    user_name TEXT NULL,
    email TEXT NULL,
    mobile TEXT NULL,
    email_verified INTEGER NOT NULL,
    mobile_verified INTEGER NOT NULL,
    password TEXT NULL,
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    registered_kind TEXT NOT NULL,
    registered_with TEXT NULL,
    attributes TEXT NOT NULL,
    logins INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS account_realm ON account (realm, id);

-- Who has a user name, an e-mail address or a mobile number: one name space for all three.
-- value: the canonical form.
CREATE TABLE IF NOT EXISTS account_identifier (
    realm TEXT NOT NULL,
    value TEXT NOT NULL,
    account INTEGER NOT NULL,
    kind TEXT NOT NULL,
    verified INTEGER NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (realm, value)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS account_identifier_account ON account_identifier (account);

-- digest: of the token, under the module's key. A session ends at expires, or idle milliseconds
-- after seen.
CREATE TABLE IF NOT EXISTS account_session (
    realm TEXT NOT NULL,
    digest TEXT NOT NULL,
    account INTEGER NOT NULL,
    created INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    idle INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NULL,
    PRIMARY KEY (realm, digest)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS account_session_account ON account_session (realm, account);

-- tries: how many wrong guesses are left, -1 when they are not counted. used: when it was, or 0.
CREATE TABLE IF NOT EXISTS account_code (
    realm TEXT NOT NULL,
    purpose TEXT NOT NULL,
    target TEXT NOT NULL,
    digest TEXT NOT NULL,
    tries INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (realm, purpose, target)
) WITHOUT ROWID;

-- Last: this file has been run.
INSERT INTO account_schema (version, fingerprint)
    SELECT 1, '' WHERE NOT EXISTS (SELECT * FROM account_schema);
