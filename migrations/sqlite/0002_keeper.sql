-- Who may change what the clients race for. Times are microseconds since 1970-01-01 UTC.

CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    username      TEXT NOT NULL UNIQUE,
    -- Argon2id, in PHC's format.
    password_hash TEXT NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

-- Those who are signed in. Only a hash of what the browser holds: whoever reads this table cannot
-- sign in with it.
CREATE TABLE sessions (
    token_hash TEXT NOT NULL PRIMARY KEY,
    user_id    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    CONSTRAINT sessions_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) STRICT;

-- For scripts; they do not expire, and are deleted by name.
CREATE TABLE tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash TEXT NOT NULL UNIQUE,
    user_id    INTEGER NOT NULL,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    CONSTRAINT tokens_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) STRICT;

-- Guesses that were wrong, so that there cannot be many.
CREATE TABLE failed_logins (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT NOT NULL,
    address  TEXT NOT NULL,
    at       INTEGER NOT NULL
) STRICT;

CREATE INDEX failed_logins_username ON failed_logins (username, at);
CREATE INDEX failed_logins_address ON failed_logins (address, at);

-- Who changed what. The name and not only the number, so that it outlives the user.
CREATE TABLE changes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    username   TEXT NOT NULL,
    at         INTEGER NOT NULL,
    account_id INTEGER NOT NULL,
    what       TEXT NOT NULL
) STRICT;
