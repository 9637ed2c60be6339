-- Accounts, what they are found by, their sessions and one-time codes.
-- For MySQL 8, MariaDB 10.5 and later, and what speaks their protocol.
--
-- Run by the module (AccountSchema auto) or by hand; every statement may be run again. A statement
-- ends with a semicolon at the end of a line, a comment has a line of its own.
--
-- Times are milliseconds since 1970 UTC, 0 for never. What is compared as bytes is VARBINARY, or
-- has a collation ending in _bin: others take "admin" and "ádmin" for the same.

-- One row: which files were run, and which key file the digests below belong to.
CREATE TABLE IF NOT EXISTS account_schema (
    version INT NOT NULL,
    fingerprint VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- ref: random, how the module finds the id of a row it has just inserted.
-- user_name, email, mobile: as to be shown; identifier decides who has them.
-- attributes: a JSON object. Not TEXT: apr_dbd would set 256 kB aside for each row it reads.
CREATE TABLE IF NOT EXISTS account (
    id BIGINT NOT NULL AUTO_INCREMENT,
    ref VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    realm VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    user_name VARCHAR(255) NULL,
    email VARCHAR(255) NULL,
    mobile VARCHAR(255) NULL,
    email_verified BIGINT NOT NULL,
    mobile_verified BIGINT NOT NULL,
    password VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    role VARCHAR(64) NOT NULL,
    status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    registered_kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    registered_with VARCHAR(255) NULL,
    attributes VARCHAR(10000) NOT NULL,
    logins BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY account_ref (ref),
    KEY account_realm (realm, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Who has a user name, an e-mail address or a mobile number: one name space for all three.
-- value: the canonical form.
CREATE TABLE IF NOT EXISTS account_identifier (
    realm VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    value VARBINARY(1020) NOT NULL,
    account BIGINT NOT NULL,
    kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    verified BIGINT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (realm, value),
    KEY identifier_account (account)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- digest: of the token, under the module's key. A session ends at expires, or idle milliseconds
-- after seen.
CREATE TABLE IF NOT EXISTS account_session (
    realm VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    digest VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    account BIGINT NOT NULL,
    created BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    idle BIGINT NOT NULL,
    address VARCHAR(45) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    agent VARCHAR(255) NULL,
    PRIMARY KEY (realm, digest),
    KEY session_account (realm, account)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- tries: how many wrong guesses are left, -1 when they are not counted. used: when it was, or 0.
CREATE TABLE IF NOT EXISTS account_code (
    realm VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    purpose VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    target VARBINARY(1020) NOT NULL,
    digest VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    tries INT NOT NULL,
    expires BIGINT NOT NULL,
    used BIGINT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (realm, purpose, target)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Last: this file has been run.
INSERT INTO account_schema (version, fingerprint)
    SELECT 1, '' FROM DUAL WHERE NOT EXISTS (SELECT * FROM account_schema);
