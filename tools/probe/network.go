package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"time"
)

// resolver is Go's own: there is no C library beside this program.
var resolver = &net.Resolver{PreferGo: true}

func serve(ports []string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	for _, item := range ports {
		kind, place, _ := strings.Cut(item, ":")
		if !strings.Contains(place, ":") {
			place = ":" + place
		}
		if err := listen(kind, place, name+"\n"); err != nil {
			return err
		}
		fmt.Println("serving", item)
	}
	wait()
	return nil
}

func listen(kind, address, answer string) error {
	if kind == "udp" {
		packets, err := net.ListenPacket("udp", address)
		if err == nil {
			go answerPackets(packets, answer)
		}
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	if kind == "tls" {
		certificate, err := selfSigned()
		if err != nil {
			return err
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}})
	}
	go answerConnections(listener, answer)
	return nil
}

func answerConnections(listener net.Listener, answer string) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			_ = connection.SetDeadline(time.Now().Add(deadline))
			_, _ = connection.Write([]byte(answer))
		}()
	}
}

func answerPackets(packets net.PacketConn, answer string) {
	question := make([]byte, 512)
	for {
		_, from, err := packets.ReadFrom(question)
		if err != nil {
			return
		}
		_, _ = packets.WriteTo([]byte(answer), from)
	}
}

// ask connects and returns the first line of the answer. A server that waits for its client to speak first is open all
// the same, so for TCP and TLS no answer is no failure.
func ask(kind, address string) (string, error) {
	connection, err := dial(kind, address)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(deadline)); err != nil {
		return "", err
	}
	if kind == "udp" {
		if _, err := connection.Write([]byte("?\n")); err != nil {
			return "", err
		}
	}
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil && kind == "udp" {
		return "", err
	}
	return strings.TrimSpace(line), nil
}

func dial(kind, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: deadline, Resolver: resolver}
	switch kind {
	case "tcp", "udp":
		return dialer.Dial(kind, address)
	case "tls":
		return tls.DialWithDialer(dialer, "tcp", address, &tls.Config{InsecureSkipVerify: true})
	}
	return nil, fmt.Errorf("%s is not tcp, udp or tls", kind)
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	made, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{made}, PrivateKey: key}, err
}
