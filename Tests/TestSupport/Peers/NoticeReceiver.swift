import Foundation

/// A mail server or a web server on loopback in a child process, with TLS under a certificate made for the test. It
/// keeps each message it took as a file before it says so: what `send` returned after can be read without waiting.
package final class NoticeReceiver: Sendable {
    package struct NeverReady: Error {}

    /// How it behaves.
    package enum Manner: String, Sendable {
        /// TLS from the first byte; after STARTTLS; never.
        case smtps, starttls, plain
        /// STARTTLS, and no password is right.
        case closed
        /// A web server; `503` for as many requests as were asked for, or until it relents, then `200`.
        case https
    }

    package static let isThere = ["/usr/bin/python3", "/usr/bin/openssl"].allSatisfy {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    package let port: Int
    package let certificate: String
    private let folder: URL
    private let input: Pipe
    private let process: Process

    package init(_ manner: Manner, failures: Int = 0) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "tb-alerts-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        certificate = folder.appending(path: "certificate.pem").path
        let key = folder.appending(path: "key.pem").path
        let maker = Process()
        maker.executableURL = URL(filePath: "/usr/bin/openssl")
        maker.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
        ]
        maker.standardError = FileHandle.nullDevice
        try maker.run()
        maker.waitUntilExit()
        let script = folder.appending(path: "server.py")
        try Data(Self.script.utf8).write(to: script)
        input = Pipe()
        let output = Pipe()
        process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = [script.path, manner.rawValue, folder.path, "\(failures)"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let said = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard let port = Int(said.trimmingCharacters(in: .whitespacesAndNewlines)) else { throw NeverReady() }
        self.port = port
    }

    /// What it took, oldest first: of mail the envelope and the message, of the web the headers and the body.
    package func taken() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".taken") }.sorted()
            .map { String(decoding: try Data(contentsOf: folder.appending(path: $0)), as: UTF8.self) }
    }

    /// How many requests it did not take.
    package func refused() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).count { $0.hasSuffix(".refused") }
    }

    /// From now on it takes everything.
    package func relent() throws { try input.fileHandleForWriting.write(contentsOf: Data("relent\n".utf8)) }

    package func end() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    deinit {
        end()
        try? FileManager.default.removeItem(at: folder)
    }

    private static let script = #"""
        import base64, os, socket, ssl, sys, threading
        manner, folder, failures = sys.argv[1], sys.argv[2], int(sys.argv[3])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder + "/certificate.pem", folder + "/key.pem")
        lock, count, left = threading.Lock(), [0], [failures]

        def keep(text):
            with lock:
                count[0] += 1
                name = folder + "/%06d" % count[0]
                with open(name + ".part", "w") as file: file.write(text)
                os.rename(name + ".part", name + ".taken")

        def mail(sock):
            if manner == "smtps": sock = context.wrap_socket(sock, server_side=True)
            file, secure, user, envelope = sock.makefile("rb"), manner == "smtps", None, []
            say = lambda text: sock.sendall((text + "\r\n").encode())
            say("220 loopback")
            while True:
                line = file.readline().decode().rstrip("\r\n")
                verb = line.upper()
                if not line: return
                elif verb.startswith("EHLO"):
                    say("250-loopback")
                    if secure: say("250-AUTH PLAIN LOGIN")
                    elif manner in ("starttls", "closed"): say("250-STARTTLS")
                    say("250 8BITMIME")
                elif verb == "STARTTLS" and not secure and manner in ("starttls", "closed"):
                    say("220 go on")
                    sock = context.wrap_socket(sock, server_side=True)
                    file, secure, envelope = sock.makefile("rb"), True, []
                elif verb.startswith("AUTH PLAIN"):
                    words = line.split(" ")
                    if len(words) < 3:
                        say("334 ")
                        words.append(file.readline().decode().strip())
                    given = base64.b64decode(words[2]).split(b"\0")
                    if manner != "closed" and given[1:] == [b"duty", b"correct horse"]:
                        user = "duty"
                        say("235 in")
                    else: say("535 not you")
                elif not secure and verb.startswith("MAIL"): say("530 not in the clear")
                elif verb.startswith("MAIL") or verb.startswith("RCPT"):
                    envelope.append(line)
                    say("250 ok")
                elif verb == "DATA":
                    say("354 go on")
                    lines = []
                    while True:
                        data = file.readline().decode()
                        if data in (".\r\n", ""): break
                        lines.append(data[1:] if data.startswith(".") else data)
                    keep("user %s\n%s\n\n%s" % (user, "\n".join(envelope), "".join(lines)))
                    say("250 taken")
                    envelope = []
                elif verb == "QUIT":
                    say("221 bye")
                    return
                else: say("502 what?")

        def web(sock):
            sock = context.wrap_socket(sock, server_side=True)
            file = sock.makefile("rb")
            head, size = [], 0
            while True:
                line = file.readline().decode().rstrip("\r\n")
                if not line: break
                head.append(line)
                if line.lower().startswith("content-length:"): size = int(line.split(":")[1])
            if not head: return
            body = file.read(size).decode()
            with lock:
                fails = left[0] > 0
                left[0] -= 1
                if fails: open(folder + "/%d.refused" % left[0], "w").close()
            if not fails: keep("\n".join(head) + "\n\n" + body)
            answer = "503 Later" if fails else "200 OK"
            sock.sendall(("HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % answer).encode())

        def serve(sock):
            try: (web if manner == "https" else mail)(sock)
            except Exception: pass
            finally: sock.close()

        listener = socket.create_server(("127.0.0.1", 0))
        def accept():
            while True:
                sock, _ = listener.accept()
                threading.Thread(target=serve, args=(sock,), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        for line in sys.stdin:
            with lock: left[0] = 0
        """#
}
