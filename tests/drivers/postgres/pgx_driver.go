// pgx. Text goes through the simple protocol, and what has arguments is prepared and cached.
// Arguments: HOST PORT USER PASSWORD DATABASE LIST.
package main

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

var background = context.Background()

const (
	insertParent = "INSERT INTO parent VALUES ($1)"
	divide       = "SELECT 10 / $1::int4"
)

func shown(value []byte) string {
	if value == nil {
		return "NULL"
	}
	if len(value) <= 80 {
		return fmt.Sprintf("%q", value)
	}
	return fmt.Sprintf("%d bytes, crc %d", len(value), crc32.ChecksumIEEE(value))
}

func printError(err error) {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		fmt.Println("  error", refused.Severity, refused.Code, refused.Message, refused.Detail,
			refused.ConstraintName, refused.Position)
	} else if err != nil {
		fmt.Println("  error", err)
	}
}

func attempt(title string, action func() error) {
	fmt.Println(title)
	printError(action())
}

func printRow(values [][]byte) {
	line := []string{}
	for _, value := range values {
		line = append(line, shown(value))
	}
	fmt.Println("  row", strings.Join(line, " | "))
}

func text(c *pgx.Conn, sql string) error {
	results := c.PgConn().Exec(background, sql)
	for results.NextResult() {
		reader := results.ResultReader()
		for reader.NextRow() {
			printRow(reader.Values())
		}
		tag, err := reader.Close()
		fmt.Println("  done", tag)
		printError(err)
	}
	return results.Close()
}

func query(c *pgx.Conn, sql string, values ...interface{}) error {
	rows, err := c.Query(background, sql, values...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for _, field := range rows.FieldDescriptions() {
		fmt.Println("  column", string(field.Name), field.DataTypeOID, field.Format)
	}
	for rows.Next() {
		printRow(rows.RawValues())
	}
	rows.Close()
	fmt.Println("  done", rows.CommandTag())
	return rows.Err()
}

// Several statements before one Sync, and their answers afterwards.
func batch(c *pgx.Conn) error {
	// A batch would prepare what is new to it in any order.
	for _, sql := range []string{insertParent, divide} {
		if _, err := c.Prepare(background, sql, sql); err != nil {
			return err
		}
	}
	for _, divisors := range [][]int{{1, 2, 5}, {1, 0, 5}} {
		b := &pgx.Batch{}
		b.Queue(insertParent, 100+divisors[1])
		for _, divisor := range divisors {
			b.Queue(divide, divisor)
		}
		results := c.SendBatch(background, b)
		_, err := results.Exec()
		printError(err)
		for range divisors {
			var quotient int
			printError(results.QueryRow().Scan(&quotient))
			fmt.Println("  quotient", quotient)
		}
		printError(results.Close())
	}
	return query(c, "SELECT id FROM parent ORDER BY id")
}

func transactions(c *pgx.Conn) error {
	return c.BeginTxFunc(background, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(t pgx.Tx) error {
		_, err := t.Exec(background, "INSERT INTO parent VALUES ($1)", 200)
		printError(err)
		printError(t.BeginFunc(background, func(inner pgx.Tx) error {
			_, err := inner.Exec(background, "INSERT INTO parent VALUES ($1)", 200)
			return err
		}))
		_, err = t.Exec(background, "INSERT INTO child VALUES ($1, $2)", 200, 404)
		printError(err)
		return nil
	})
}

type breaks struct{ isRead bool }

func (b *breaks) Read(to []byte) (int, error) {
	if b.isRead {
		return 0, errors.New("no more")
	}
	b.isRead = true
	return copy(to, "1000\tlost\n"), nil
}

func copies(c *pgx.Conn) error {
	rows := [][]interface{}{}
	lines := &strings.Builder{}
	for n := 0; n < 500; n++ {
		rows = append(rows, []interface{}{n, fmt.Sprint("a", n)})
		fmt.Fprintf(lines, "%d\tb%d\n", n+500, n)
	}
	attempt("copy in", func() error {
		columns := []string{"id", "t"}
		count, err := c.CopyFrom(background, pgx.Identifier{"sheet"}, columns, pgx.CopyFromRows(rows))
		fmt.Println("  copied", count)
		return err
	})
	in := func(title, sql string, from io.Reader) {
		attempt(title, func() error {
			tag, err := c.PgConn().CopyFrom(background, from, sql)
			fmt.Println("  copied", tag)
			return err
		})
	}
	in("copy in, as text", "COPY sheet FROM STDIN", strings.NewReader(lines.String()))
	in("copy in, abandoned", "COPY sheet FROM STDIN", &breaks{})
	in("copy in, twice", "COPY sheet FROM STDIN", strings.NewReader("1\ta\n"))
	in("copy in, refused", "COPY no_such_table FROM STDIN", strings.NewReader(""))
	out := func(title, sql string) {
		attempt(title, func() error {
			to := &strings.Builder{}
			tag, err := c.PgConn().CopyTo(background, to, sql)
			fmt.Println("  copied", tag, shown([]byte(to.String())))
			return err
		})
	}
	out("copy out", "COPY (SELECT * FROM sheet ORDER BY id) TO STDOUT")
	out("copy out, refused", "COPY no_such_table TO STDOUT")
	out("copy out, fails", "COPY (SELECT 1 / (n - 5) FROM generate_series(1, 9) AS n) TO STDOUT")
	return nil
}

func printNotification(c *pgx.Conn) error {
	limit, stop := context.WithTimeout(background, 30*time.Second)
	defer stop()
	notified, err := c.WaitForNotification(limit)
	if err == nil {
		fmt.Println("  notified", notified.Channel, notified.Payload)
	}
	return err
}

func listen(c, other *pgx.Conn) error {
	printError(query(c, "LISTEN kettle"))
	printError(query(other, "SELECT pg_notify('kettle', $1)", "boils"))
	printError(printNotification(c))
	printError(text(c, "BEGIN"))
	printError(text(other, "NOTIFY kettle, 'later'"))
	printError(query(c, "SELECT 1"))
	printError(text(c, "COMMIT"))
	printError(printNotification(c))
	return text(c, "UNLISTEN *")
}

func cancel(c, other *pgx.Conn) error {
	ended := make(chan error)
	go func() { ended <- query(c, "SELECT pg_sleep(61)") }()
	printError(query(other, "SELECT wait_until_sleeps('pg_sleep(61)')"))
	printError(c.PgConn().CancelRequest(background))
	printError(<-ended)
	return query(c, "SELECT 'alive'")
}

func main() {
	a := os.Args
	connect := func(password, database string) (*pgx.Conn, error) {
		config, err := pgx.ParseConfig("sslmode=prefer host=" + a[1] + " port=" + a[2])
		if err != nil {
			return nil, err
		}
		config.User, config.Password, config.Database = a[3], password, database
		config.OnNotice = func(_ *pgconn.PgConn, notice *pgconn.Notice) {
			fmt.Println("  notice", notice.Severity, notice.Code, notice.Message)
		}
		return pgx.ConnectConfig(background, config)
	}
	c, err := connect(a[4], a[5])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	other, err := connect(a[4], a[5])
	printError(err)
	for number, one := range statements(a[6]) {
		attempt(one.title(number), func() error {
			if len(one.values) == 0 {
				return text(c, one.sql)
			}
			return query(c, one.sql, one.values...)
		})
	}
	attempt("batch", func() error { return batch(c) })
	attempt("transactions", func() error { return transactions(c) })
	attempt("copy", func() error { return copies(c) })
	attempt("listen", func() error { return listen(c, other) })
	attempt("cancel", func() error { return cancel(c, other) })
	attempt("wrong password", func() error { _, err := connect("coffee", a[5]); return err })
	attempt("no such database", func() error { _, err := connect(a[4], "no_such_database"); return err })
	printError(other.Close(background))
	printError(c.Close(background))
	fmt.Println("all sent")
}
