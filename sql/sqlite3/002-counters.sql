-- Limits, the outbox of messages, captchas, reward points; and how the clearing away finds what is
-- over without looking at what is not.

-- So many in so long. subject: a keyed digest of what is counted and of the window's length.
-- until: when the window is over.
CREATE TABLE IF NOT EXISTS account_limit (
    realm TEXT NOT NULL,
    subject TEXT NOT NULL,
    used INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (realm, subject)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS account_limit_until ON account_limit (until);

-- The outbox. content: sealed, empty once the message is done with. due: when to try (again), while
-- lease names who is at it. down: the last attempt reached nobody. done: when it was delivered or
-- dropped, or 0.
CREATE TABLE IF NOT EXISTS account_message (
    realm TEXT NOT NULL,
    ref TEXT NOT NULL,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    name TEXT NOT NULL,
    content TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    lease TEXT NOT NULL,
    down INTEGER NOT NULL,
    done INTEGER NOT NULL,
    PRIMARY KEY (realm, ref)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS account_message_due
    ON account_message (realm, channel, done, due, expires);

CREATE INDEX IF NOT EXISTS account_message_down
    ON account_message (realm, channel, down, expires);

CREATE INDEX IF NOT EXISTS account_message_waiting
    ON account_message (done, expires, due, created, realm, channel);

-- Those that can still be used.
CREATE TABLE IF NOT EXISTS account_captcha (
    realm TEXT NOT NULL,
    id TEXT NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (realm, id)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS account_captcha_expires ON account_captcha (expires);

-- The ledger of reward points, which the site's own code writes. account: the account's id, which
-- is one over all realms. The index holds what sums and pages ask for, in their order.
CREATE TABLE IF NOT EXISTS account_point (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    description TEXT NOT NULL,
    created INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS account_point_account ON account_point (account, created, id, amount);

-- When a session is over, by its life or by its idleness.
CREATE INDEX IF NOT EXISTS account_session_ends ON account_session (MIN(expires, seen + idle));

CREATE INDEX IF NOT EXISTS account_code_expires ON account_code (expires);

-- Last: this file has been run.
UPDATE account_schema SET version = 2 WHERE version < 2;
