import Glibc
import Threads

/// A program of the system that serves TLS over a throwaway certificate for 127.0.0.1, ended with the test.
package final class TLSServer: Sendable {
    package struct NeverReady: Error {}

    package let port: Int
    package let certificate: String
    private let folder: String
    private let process: ChildProcess

    package static let openssl = "/usr/bin/openssl"
    package static let nghttpd = ["/usr/sbin/nghttpd", "/usr/bin/nghttpd"].first { (path: String) in
        access(path, X_OK) == 0
    }

    /// `openssl s_server`, HTTP/1.0 over TLS. Serves `/file`.
    ///
    /// - Parameter names: what the certificate is made out to.
    package static func plain(
        _ extra: [String] = [], names: String = "IP:127.0.0.1"
    ) async throws -> TLSServer {
        try await start(openssl, ready: "ACCEPT", names: names) { port, key, certificate in
            ["s_server", "-accept", "127.0.0.1:\(port)", "-key", key, "-cert", certificate, "-WWW"] + extra
        }
    }

    /// What makes `plain` a peer of days gone by, which speaks TLS 1.1 and nothing later.
    package static let oldVersion = ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]

    /// Whether openssl was built with TLS 1.1 at all.
    package static let speaksOldVersion: Bool = {
        guard access(openssl, X_OK) == 0 else { return false }
        let answer = ChildProcess(in: "/tmp", [openssl, "ciphers", "-s", "-tls1_1", "DEFAULT@SECLEVEL=0"]).readOutput()
        return answer?.contains("AES") == true
    }()

    /// A file for `OPENSSL_CONF` that allows every version and cipher there is; whoever asked removes it.
    package static func lenientPolicy() throws -> String {
        let text = """
            openssl_conf = all
            [all]
            ssl_conf = protocols
            [protocols]
            system_default = lenient
            [lenient]
            MinProtocol = TLSv1
            CipherString = DEFAULT:@SECLEVEL=0

            """
        var name = Array("/tmp/tb-openssl-XXXXXX".utf8CString)
        let file = mkstemp(&name)
        guard file >= 0 else { throw NeverReady() }
        defer { close(file) }
        _ = text.withCString { write(file, $0, strlen($0)) }
        return String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// `nghttpd`, HTTP/2 over TLS. Serves `/file`.
    package static func http2() async throws -> TLSServer {
        guard let nghttpd else { throw NeverReady() }
        return try await start(nghttpd, ready: "listen") { port, key, certificate in
            ["-v", "-a", "127.0.0.1", "-d", ".", "\(port)", key, certificate]
        }
    }

    package func url(_ host: String = "127.0.0.1") -> String { "https://\(host):\(port)/file" }

    private static func start(
        _ program: String, ready: String, names: String = "IP:127.0.0.1",
        arguments: @escaping @Sendable (_ port: Int, _ key: String, _ certificate: String) -> [String]
    ) async throws -> TLSServer {
        // Waiting for a child blocks: on a thread of its own, or the pool would stand still.
        let server = await withCheckedContinuation { (continuation: CheckedContinuation<TLSServer?, Never>) in
            startThread {
                continuation.resume(
                    returning: TLSServer(program, ready: ready, names: names, arguments: arguments))
            }
        }
        guard let server else { throw NeverReady() }
        return server
    }

    private init?(
        _ program: String, ready: String, names: String, arguments: (Int, String, String) -> [String]
    ) {
        var name = Array("/tmp/tb-http-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { return nil }
        let folder = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let key = folder + "/key.pem"
        let certificate = folder + "/certificate.pem"
        self.folder = folder
        self.certificate = certificate
        if let file = fopen(folder + "/file", "w") {
            fputs("served\n", file)
            fclose(file)
        }
        let maker = ChildProcess(in: folder, [
            Self.openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=\(names)",
            "-keyout", key, "-out", certificate,
        ])
        while maker.readOutput() != nil {}
        port = freePort()
        let process = ChildProcess(in: folder, [program] + arguments(port, key, certificate))
        self.process = process
        var said = ""
        while !said.contains(ready) {
            guard let more = process.readOutput() else { return nil }
            said += more
        }
        // Read on, or the server would block on a full pipe.
        startThread { while process.readOutput() != nil {} }
    }

    deinit {
        process.end()
        for file in ["key.pem", "certificate.pem", "file"] { unlink("\(folder)/\(file)") }
        rmdir(folder)
    }
}

/// A child that ends when its standard input ends: with this object, or with the test's process, however that ends.
final class ChildProcess: Sendable {
    private let output: Int32
    private let input: Int32
    private let pid: pid_t
    private let hasEnded = Locked(false)

    init(in folder: String, _ command: [String]) {
        var toChild: [Int32] = [0, 0]
        var fromChild: [Int32] = [0, 0]
        precondition(pipe(&toChild) == 0 && pipe(&fromChild) == 0, "pipe said \(errno)")
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        // Sockets of tests that run beside this one: a copy in the child would keep their connections open.
        for number in Int32(3)..<1_024 { posix_spawn_file_actions_addclose(&actions, number) }
        // The watcher's copy of the output is closed, so that the end of the program is the end of its output.
        // KILL, because a child of one of the pool's threads inherits their mask, which blocks TERM.
        let script = "cd \"$1\"; shift; \"$@\" </dev/null & exec >/dev/null; cat; kill -KILL $!; wait"
        let words = ["/bin/sh", "-c", script, "sh", folder] + command
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid = pid_t()
        let code = posix_spawn(&pid, "/bin/sh", &actions, nil, &arguments, environ)
        precondition(code == 0, "posix_spawn said \(code)")
        close(toChild[0])
        close(fromChild[1])
        (input, output, self.pid) = (toChild[1], fromChild[0], pid)
    }

    /// - Returns: nil when the child has closed its output.
    func readOutput() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = read(output, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    func end() {
        let isFirst = hasEnded.withLock { hasEnded in
            defer { hasEnded = true }
            return !hasEnded
        }
        guard isFirst else { return }
        close(input)
        waitpid(pid, nil, 0)
    }

    deinit {
        end()
        close(output)
    }
}
