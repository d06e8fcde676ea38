-- The native side of the measurement, run by sysbench: every thread has one connection, on which it
-- runs deposits one after the other, with the statements that the service sends.
--
--   LUA_PATH='tools/bench.d/?.lua;;' \
--     sysbench native.lua --socket=PATH --accounts=2,3 prepare
--   LUA_PATH='tools/bench.d/?.lua;;' \
--     sysbench native.lua --socket=PATH --accounts=2,3 \
--     --statements=$'START TRANSACTION\nSELECT ... WHERE id = :account\n...\nCOMMIT' run
--
-- sysbench's own SQL functions cannot read the row that a prepared statement selects, but a deposit
-- adds to the balance that it read. So the statements go straight to MariaDB's C client, with which
-- sysbench itself is linked on Debian.

local ffi = require("ffi")
local samples = require("samples")

sysbench.cmdline.options = {
  socket = { "The server's unix socket", "" },
  database = { "The database", "racy" },
  accounts = { "The accounts that prepare makes, and of which run draws one for each deposit", { "1" } },
  amount = { "What to deposit", 100 },
  statements = { "A deposit's statements, each a line, with the names of VALUES as placeholders", "" },
  attempts = { "How often to try a deposit at most, with pauses as of --retry jitter", 1 },
}

-- From the headers mysql.h and mariadb_stmt.h of MariaDB Connector/C 3, whose binary interface is
-- fixed by its file name, libmariadb.so.3.
ffi.cdef [[
  typedef struct st_mysql MYSQL;
  typedef struct st_mysql_stmt MYSQL_STMT;
  typedef struct {
    unsigned long *length;
    char *is_null;
    void *buffer;
    char *error;
    void *row_or_indicator;
    void *store, *fetch, *skip;
    unsigned long buffer_length, offset, length_value;
    unsigned int flags, pack_length;
    int buffer_type;
    char error_value, is_unsigned, long_data_used, is_null_value;
    void *extension;
  } MYSQL_BIND;

  MYSQL *mysql_init(MYSQL *);
  MYSQL *mysql_real_connect(MYSQL *, const char *host, const char *user, const char *password,
    const char *database, unsigned int port, const char *socket, unsigned long flags);
  int mysql_real_query(MYSQL *, const char *sql, unsigned long length);
  int mysql_next_result(MYSQL *);
  unsigned int mysql_errno(MYSQL *);
  const char *mysql_error(MYSQL *);
  void mysql_close(MYSQL *);

  MYSQL_STMT *mysql_stmt_init(MYSQL *);
  int mysql_stmt_prepare(MYSQL_STMT *, const char *sql, unsigned long length);
  char mysql_stmt_bind_param(MYSQL_STMT *, MYSQL_BIND *);
  char mysql_stmt_bind_result(MYSQL_STMT *, MYSQL_BIND *);
  int mysql_stmt_execute(MYSQL_STMT *);
  unsigned long long mysql_stmt_affected_rows(MYSQL_STMT *);
  int mysql_stmt_store_result(MYSQL_STMT *);
  int mysql_stmt_fetch(MYSQL_STMT *);
  char mysql_stmt_free_result(MYSQL_STMT *);
  unsigned int mysql_stmt_errno(MYSQL_STMT *);
  const char *mysql_stmt_error(MYSQL_STMT *);

  int usleep(unsigned int microseconds);
]]

local client = ffi.load("libmariadb.so.3")

local MYSQL_TYPE_LONGLONG = 8
-- Several statements in one round trip. A row counts as affected even if its values stay the same:
-- two clients that write the same balance lose one deposit.
local CLIENT_MULTI_STATEMENTS, CLIENT_FOUND_ROWS = 65536, 2

-- What the service answers with 409: lock wait timeout, deadlock, record has changed.
local REFUSALS = { [1205] = true, [1213] = true, [1020] = true }

-- Compare and swap: the row has changed since it was read.
local OVERTAKEN = "overtaken"

-- The refusals after which another attempt may succeed.
local LOST = { [1213] = true, [1020] = true, [OVERTAKEN] = true }

-- The placeholders of statements, and the columns that they may select.
local VALUES = {
  "account", "amount", "slot", "new_balance", "id", "balance", "version", "updated_at", "answer",
}

local FIRST_PAUSE_US = 10000
local SLOTS = 8

local connection, steps, values, own

local function connect()
  connection = client.mysql_init(nil)
  local options = sysbench.opt
  if client.mysql_real_connect(connection, nil, "root", nil, options.database, 0, options.socket,
    CLIENT_MULTI_STATEMENTS + CLIENT_FOUND_ROWS) == nil then
    error("cannot connect to " .. options.socket .. ": " .. ffi.string(client.mysql_error(connection)))
  end
end

-- Runs statements without values in one round trip. Returns the engine's code if it refuses.
local function command(sql)
  local failed = client.mysql_real_query(connection, sql, #sql)
  while failed == 0 do
    failed = client.mysql_next_result(connection)
  end
  if failed < 0 then
    return nil
  end
  local code = client.mysql_errno(connection)
  if not REFUSALS[code] then
    error(sql .. ": " .. ffi.string(client.mysql_error(connection)))
  end
  return code
end

local function bindings(names)
  local binds = ffi.new("MYSQL_BIND[?]", math.max(#names, 1))
  for index, name in ipairs(names) do
    binds[index - 1].buffer_type = MYSQL_TYPE_LONGLONG
    binds[index - 1].buffer = values[name] or error("there is no :" .. name)
  end
  return binds
end

-- The names of the columns that a statement selects. An expression is called "answer".
local function selected(sql)
  local names = {}
  for name in (sql:match("^SELECT ([%a_, ]+) FROM") or "answer"):gmatch("[%a_]+") do
    names[#names + 1] = name
  end
  return names
end

-- Prepares a statement. Each time it runs, it takes its values from `values`, and puts what it
-- selects there.
local function prepare(sql)
  local names = {}
  local text = sql:gsub(":([%a_]+)", function(name)
    names[#names + 1] = name
    return "?"
  end)
  local statement = client.mysql_stmt_init(connection)
  local function check(failed)
    if failed ~= 0 then
      error(text .. ": " .. ffi.string(client.mysql_stmt_error(statement)))
    end
  end
  check(client.mysql_stmt_prepare(statement, text, #text))

  -- The statement points to these, so they must live as long as it does.
  local params, result = bindings(names), bindings(selected(sql))
  local selects = text:find("^SELECT") ~= nil
  check(client.mysql_stmt_bind_param(statement, params))
  if selects then
    check(client.mysql_stmt_bind_result(statement, result))
  end
  return { statement = statement, params = params, result = result, selects = selects }
end

-- Runs a prepared statement. Returns the engine's code if it refuses.
local function execute(step)
  local statement = step.statement
  local failed = client.mysql_stmt_execute(statement) ~= 0
  if not failed and step.selects then
    failed = client.mysql_stmt_store_result(statement) ~= 0
      or client.mysql_stmt_fetch(statement) ~= 0
      or client.mysql_stmt_free_result(statement) ~= 0
    values.new_balance[0] = values.balance[0] + values.amount[0]
  end
  if not failed then
    return not step.selects and client.mysql_stmt_affected_rows(statement) == 0 and OVERTAKEN or nil
  end
  local code = client.mysql_stmt_errno(statement)
  if not REFUSALS[code] then
    error("a statement failed: " .. ffi.string(client.mysql_stmt_error(statement)))
  end
  return code
end

-- Runs the statements until one is refused, and returns why.
local function attempt()
  for _, step in ipairs(steps) do
    local refusal
    if type(step) == "string" then
      refusal = command(step)
    else
      refusal = execute(step)
    end
    if refusal then
      -- The service does the same: after a lock timeout the transaction is still open.
      command("ROLLBACK")
      return refusal
    end
  end
  return nil
end

-- Makes a deposit. Returns the last refusal, or nil, and the number of attempts.
local function deposit()
  local accounts = sysbench.opt.accounts
  values.account[0] = tonumber(accounts[math.random(#accounts)])
  values.slot[0] = math.random(0, SLOTS - 1)
  local attempts, longest_pause = 1, FIRST_PAUSE_US
  local refusal = attempt()
  while LOST[refusal or ""] and attempts < sysbench.opt.attempts do
    ffi.C.usleep(math.random() * longest_pause)
    attempts, longest_pause = attempts + 1, longest_pause * 2
    refusal = attempt()
  end
  return refusal, attempts
end

-- Makes accounts with a balance of 0, and their slots.
local function make(accounts)
  local rows, slots = {}, {}
  for index, account in ipairs(accounts) do
    rows[index] = "(" .. account .. ", 0, 0)"
    for slot = 0, SLOTS - 1 do
      slots[#slots + 1] = "(" .. account .. ", " .. slot .. ")"
    end
  end
  command("INSERT INTO accounts (id, balance, opening_balance) VALUES " .. table.concat(rows, ", "))
  command("INSERT INTO account_slots (account_id, slot) VALUES " .. table.concat(slots, ", "))
end

sysbench.cmdline.commands = {
  prepare = {
    function()
      connect()
      make(sysbench.opt.accounts)
      client.mysql_close(connection)
    end,
  },
}

function thread_init(thread)
  connect()
  -- Without a seed of its own, every thread draws the same.
  math.randomseed(samples.now() + thread)
  values = {}
  for _, name in ipairs(VALUES) do
    values[name] = ffi.new("int64_t[1]")
  end
  values.amount[0] = sysbench.opt.amount
  steps = {}
  for sql in sysbench.opt.statements:gmatch("[^\n]+") do
    steps[#steps + 1] = sql:find(":%a") and prepare(sql) or sql
  end
  own = samples.new()
end

function event()
  local began = samples.now()
  samples.note(own, began, deposit())
end

function thread_done()
  samples.print(own)
  client.mysql_close(connection)
end
