-- Limits, the outbox of messages, captchas, reward points; and how the clearing away finds what is
-- over without looking at what is not.
-- For MySQL 8, MariaDB 10.5 and later, and what speaks their protocol.

-- So many in so long. subject: a keyed digest of what is counted and of the window's length.
-- until: when the window is over.
CREATE TABLE IF NOT EXISTS account_limit (
    realm VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    subject VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    used BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (realm, subject),
    KEY limit_until (until)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The outbox. content: sealed, empty once the message is done with. due: when to try (again), while
-- lease names who is at it. down: the last attempt reached nobody. done: when it was delivered or
-- dropped, or 0.
CREATE TABLE IF NOT EXISTS account_message (
    realm VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    ref VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    channel VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    recipient VARCHAR(255) NOT NULL,
    name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    content VARCHAR(8000) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    due BIGINT NOT NULL,
    attempts INT NOT NULL,
    lease VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    down INT NOT NULL,
    done BIGINT NOT NULL,
    PRIMARY KEY (realm, ref),
    KEY message_due (realm, channel, done, due, expires),
    KEY message_down (realm, channel, down, expires),
    KEY message_waiting (done, expires, due, created, realm, channel)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Those that can still be used.
CREATE TABLE IF NOT EXISTS account_captcha (
    realm VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (realm, id),
    KEY captcha_expires (expires)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The ledger of reward points, which the site's own code writes. account: the account's id, which
-- is one over all realms. The key holds what sums and pages ask for, in their order.
CREATE TABLE IF NOT EXISTS account_point (
    id BIGINT NOT NULL AUTO_INCREMENT,
    account BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    description VARCHAR(255) NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (id),
    KEY point_account (account, created, id, amount)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- To tables of 001, each unless it is there: MySQL has no ADD COLUMN IF NOT EXISTS.
-- ends: when a session is over, by its life or by its idleness.
SET @account_change = (SELECT IF(COUNT(*) > 0, 'DO 0',
    'ALTER TABLE account_session ADD COLUMN ends BIGINT GENERATED ALWAYS AS (LEAST(expires, seen + idle)) STORED, ADD KEY session_ends (ends)')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'account_session' AND column_name = 'ends');
PREPARE account_change FROM @account_change;
EXECUTE account_change;
DEALLOCATE PREPARE account_change;

SET @account_change = (SELECT IF(COUNT(*) > 0, 'DO 0',
    'ALTER TABLE account_code ADD KEY code_expires (expires)')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'account_code' AND index_name = 'code_expires');
PREPARE account_change FROM @account_change;
EXECUTE account_change;
DEALLOCATE PREPARE account_change;

-- Last: this file has been run.
UPDATE account_schema SET version = 2 WHERE version < 2;
