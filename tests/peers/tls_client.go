// Greets a site by Go's TLS, says what was agreed on, and has a line echoed.
//
//	go run tls_client.go ADDRESS NAME CERTIFICATE [classical]
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"os"
)

func main() {
	roots := x509.NewCertPool()
	certificate, err := os.ReadFile(os.Args[3])
	if err != nil || !roots.AppendCertsFromPEM(certificate) {
		log.Fatal("no certificate in ", os.Args[3])
	}
	config := &tls.Config{ServerName: os.Args[2], RootCAs: roots}
	if len(os.Args) > 4 {
		config.CurvePreferences = []tls.CurveID{tls.X25519}
	}
	connection, err := tls.Dial("tcp", os.Args[1], config)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(connection, "hello")
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(connection.ConnectionState().CurveID, " ", line)
}
