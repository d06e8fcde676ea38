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

-- For scripts. They do not expire; racy token revoke deletes them.
CREATE TABLE tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash TEXT NOT NULL UNIQUE,
    user_id    INTEGER NOT NULL,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    CONSTRAINT tokens_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) STRICT;

-- Guesses at passwords, so that there cannot be many. One that turns out to be right is taken out again.
CREATE TABLE guesses (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT NOT NULL,
    address  TEXT NOT NULL,
    at       INTEGER NOT NULL
) STRICT;

CREATE INDEX guesses_username ON guesses (username, at);
CREATE INDEX guesses_address ON guesses (address, at);

-- Who changed what. The name and not only the number, so that it outlives the user.
CREATE TABLE changes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    username   TEXT NOT NULL,
    at         INTEGER NOT NULL,
    account_id INTEGER NOT NULL,
    what       TEXT NOT NULL
) STRICT;
