// lib/pq, through database/sql. Without arguments it sends text, with arguments it prepares.
// Arguments: HOST PORT USER PASSWORD DATABASE LIST.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"time"

	"github.com/lib/pq"
)

var background = context.Background()

func shown(value interface{}) string {
	text := fmt.Sprint(value)
	if b, ok := value.([]byte); ok {
		text = fmt.Sprintf("%q", b)
	}
	if len(text) <= 80 {
		return text
	}
	return fmt.Sprintf("%d characters, crc %d", len(text), crc32.ChecksumIEEE([]byte(text)))
}

func printError(err error) {
	var refused *pq.Error
	if errors.As(err, &refused) {
		fmt.Println("  error", refused.Severity, refused.Code, refused.Message, refused.Detail,
			refused.Constraint, refused.Position)
	} else if err != nil {
		fmt.Println("  error", err)
	}
}

func attempt(title string, action func() error) {
	fmt.Println(title)
	printError(action())
}

func printRows(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for more := true; more; more = rows.NextResultSet() {
		columns, _ := rows.Columns()
		fmt.Println("  columns", strings.Join(columns, " | "))
		values, targets := make([]interface{}, len(columns)), make([]interface{}, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(targets...); err != nil {
				return err
			}
			line := []string{}
			for _, v := range values {
				line = append(line, shown(v))
			}
			fmt.Println("  row", strings.Join(line, " | "))
		}
	}
	return rows.Err()
}

func query(c *sql.Conn, text string, values ...interface{}) error {
	return printRows(c.QueryContext(background, text, values...))
}

func execute(c *sql.Conn, text string, values ...interface{}) error {
	done, err := c.ExecContext(background, text, values...)
	if err == nil {
		affected, _ := done.RowsAffected()
		fmt.Println("  done", affected)
	}
	return err
}

func prepared(c *sql.Conn) error {
	statement, err := c.PrepareContext(background, "SELECT 10 / $1::int4 AS named")
	if err != nil {
		return err
	}
	for divisor := 4; divisor >= -4; divisor-- {
		printError(printRows(statement.QueryContext(background, divisor)))
	}
	printError(execute(c, "DEALLOCATE ALL"))
	printError(printRows(statement.QueryContext(background, 1)))
	return statement.Close()
}

func transactions(c *sql.Conn) error {
	t, err := c.BeginTx(background, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return err
	}
	_, err = t.Exec("INSERT INTO parent VALUES ($1)", 200)
	printError(err)
	_, err = t.Exec("SAVEPOINT one")
	printError(err)
	_, err = t.Exec("INSERT INTO parent VALUES ($1)", 200)
	printError(err)
	_, err = t.Exec("ROLLBACK TO one")
	printError(err)
	_, err = t.Exec("INSERT INTO child VALUES ($1, $2)", 200, 404)
	printError(err)
	return t.Commit()
}

// A copy in, which ends with its statement.
func copyIn(c *sql.Conn, table string, rows int) error {
	t, err := c.BeginTx(background, nil)
	if err != nil {
		return err
	}
	statement, err := t.Prepare(pq.CopyIn(table, "id", "t"))
	if err != nil {
		printError(t.Rollback())
		return err
	}
	for n := 0; n < rows; n++ {
		_, err = statement.Exec(n, fmt.Sprint("a", n))
		printError(err)
	}
	_, err = statement.Exec()
	printError(err)
	printError(statement.Close())
	return t.Commit()
}

func cancel(db *sql.DB, c *sql.Conn) error {
	other, err := db.Conn(background)
	if err != nil {
		return err
	}
	limited, stop := context.WithCancel(background)
	ended := make(chan error)
	go func() {
		_, err := other.ExecContext(limited, "SELECT pg_sleep(61)")
		ended <- err
	}()
	printError(query(c, "SELECT wait_until_sleeps('pg_sleep(61)')"))
	stop()
	printError(<-ended)
	printError(other.Close())
	return query(c, "SELECT 'alive'")
}

func listen(place string, c *sql.Conn) error {
	said := func(_ pq.ListenerEventType, err error) { printError(err) }
	listener := pq.NewListener(place, time.Second, time.Minute, said)
	printError(listener.Listen("kettle"))
	printError(execute(c, "SELECT pg_notify('kettle', $1)", "boils"))
	for count := 0; count < 2; count++ {
		select {
		case notified := <-listener.Notify:
			fmt.Println("  notified", notified.Channel, notified.Extra)
		case <-time.After(30 * time.Second):
			return errors.New("no notification")
		}
		if count == 0 {
			printError(execute(c, "NOTIFY kettle, 'later'"))
		}
	}
	printError(listener.UnlistenAll())
	return listener.Close()
}

func main() {
	a := os.Args
	place := func(password, database string) string {
		quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password)
		return fmt.Sprintf("host=%s port=%s user=%s password='%s' dbname=%s sslmode=disable",
			a[1], a[2], a[3], quoted, database)
	}
	connector, err := pq.NewConnector(place(a[4], a[5]))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	db := sql.OpenDB(pq.ConnectorWithNoticeHandler(connector, func(notice *pq.Error) {
		fmt.Println("  notice", notice.Severity, notice.Code, notice.Message)
	}))
	c, err := db.Conn(background)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for number, one := range statements(a[6]) {
		attempt(one.title(number), func() error {
			if one.result == "rows" {
				return query(c, one.sql, one.values...)
			}
			return execute(c, one.sql, one.values...)
		})
	}
	attempt("prepared", func() error { return prepared(c) })
	attempt("transactions", func() error { return transactions(c) })
	attempt("copy in", func() error { return copyIn(c, "sheet", 500) })
	attempt("copy in, twice the same", func() error { return copyIn(c, "sheet", 2) })
	attempt("copy in, refused", func() error { return copyIn(c, "no_such_table", 2) })
	attempt("listen", func() error { return listen(place(a[4], a[5]), c) })
	attempt("cancel", func() error { return cancel(db, c) })
	attempt("wrong password", func() error { return once(place("coffee", a[5])) })
	attempt("no such database", func() error { return once(place(a[4], "no_such_database")) })
	printError(c.Close())
	printError(db.Close())
	fmt.Println("all sent")
}

func once(place string) error {
	db, err := sql.Open("postgres", place)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Ping()
}
