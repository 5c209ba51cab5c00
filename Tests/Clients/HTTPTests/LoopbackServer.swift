import Glibc
import Peers
import Threads

/// A request as it stood on the wire.
struct Received: Sendable {
    let connection: Int
    let method: String
    let target: String
    let head: String
    let body: [UInt8]

    func header(_ name: String) -> String? {
        for line in head.split(separator: "\r\n").dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, parts[0].lowercased() == name.lowercased() {
                return String(parts[1].drop { $0 == " " })
            }
        }
        return nil
    }
}

/// A server on 127.0.0.1 that misbehaves as told: one blocking thread a connection, where the answer's closure runs.
final class LoopbackServer: Sendable {
    typealias Answer = @Sendable (Peer, Received) -> Void

    private struct Log: Sendable {
        var connectionCount = 0
        var requests: [Received] = []
    }

    let port: Int
    let connected = Signal()
    /// Counts requests read in full.
    let arrived = Signal()
    /// Counts connections whose end was seen here.
    let disconnected = Signal()
    private let listener: Int32
    private let log = Locked(Log())
    private let answer: Answer

    init(_ answer: @escaping Answer) {
        self.answer = answer
        (listener, port) = listenOnLoopback(backlog: 512)
        let listener = listener
        // Weak until a connection comes: the test owns the server, and its deinit ends this thread.
        startThread { [weak self] in
            while true {
                let socket = accept(listener, nil, nil)
                guard socket >= 0, let self else { return }
                self.serve(socket)
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    var connectionCount: Int { log.withLock { $0.connectionCount } }
    var requests: [Received] { log.withLock { $0.requests } }

    func url(_ target: String) -> String { "http://127.0.0.1:\(port)\(target)" }

    private func serve(_ socket: Int32) {
        let number = log.withLock { log in
            log.connectionCount += 1
            return log.connectionCount
        }
        connected.fire()
        startThread { [self] in
            let peer = Peer(socket: socket, connection: number)
            while peer.isOpen, let request = peer.readRequest() {
                log.withLock { $0.requests.append(request) }
                arrived.fire()
                answer(peer, request)
            }
            peer.end()
            disconnected.fire()
        }
    }
}

/// One connection, seen from the server. Used by its own thread only.
final class Peer {
    private(set) var isOpen = true
    private let socket: Int32
    private let connection: Int
    private var unread: [UInt8] = []

    init(socket: Int32, connection: Int) {
        self.socket = socket
        self.connection = connection
    }

    func answer(_ status: String = "200 OK", headers: [String] = [], body: String = "") {
        let lines = ["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + headers
        write(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    func write(_ text: String) { write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress else { return 0 }
                return Glibc.send(socket, start + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return end() }
            sent += count
        }
    }

    func end() {
        if isOpen { close(socket) }
        isOpen = false
    }

    /// Ends with a reset instead of a regular close.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        end()
    }

    /// Waits until the client closes its side.
    func waitForEnd() { while readMore() {} }

    func readRequest() -> Received? {
        let blank = Array("\r\n\r\n".utf8)
        var end = position(of: blank)
        while end == nil {
            guard readMore() else { return nil }
            end = position(of: blank)
        }
        guard let end else { return nil }
        let head = String(decoding: unread[..<end], as: UTF8.self)
        let parts = head.split(separator: " ", maxSplits: 2).map(String.init)
        guard parts.count == 3 else { return nil }
        let bare = Received(connection: connection, method: parts[0], target: parts[1], head: head, body: [])
        let length = bare.header("content-length").flatMap { Int($0) } ?? 0
        while unread.count < end + blank.count + length { guard readMore() else { return nil } }
        let body = Array(unread[(end + blank.count)..<(end + blank.count + length)])
        unread.removeFirst(end + blank.count + length)
        return Received(connection: connection, method: parts[0], target: parts[1], head: head, body: body)
    }

    private func position(of pattern: [UInt8]) -> Int? {
        guard unread.count >= pattern.count else { return nil }
        return (0...(unread.count - pattern.count)).first { unread[$0...].starts(with: pattern) }
    }

    private func readMore() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        unread += buffer[..<count]
        return true
    }
}

/// - Returns: a listening socket and its port.
func listenOnLoopback(backlog: Int32) -> (socket: Int32, port: Int) {
    let (listener, port) = bindOnLoopback()
    precondition(listen(listener, backlog) == 0, "listen said \(errno)")
    return (listener, port)
}

private func bindOnLoopback() -> (socket: Int32, port: Int) {
    let bound = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = loopback(port: 0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            precondition(bind(bound, generic, size) == 0, "bind said \(errno)")
            getsockname(bound, generic, &size)
        }
    }
    return (bound, Int(UInt16(bigEndian: address.sin_port)))
}

/// A port where connecting takes for ever: its queue of connections is full and nobody accepts.
final class BlackHole {
    let port: Int
    private var sockets: [Int32] = []

    init() {
        let (listener, port) = listenOnLoopback(backlog: 0)
        self.port = port
        sockets.append(listener)
        for _ in 0..<4 {
            let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            var address = loopback(port: port)
            withUnsafePointer(to: &address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                    _ = connect(client, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            sockets.append(client)
        }
    }

    deinit { for socket in sockets { close(socket) } }
}

/// A port that refuses connections. Bound and not listening, so that no other test is given it meanwhile; the socket
/// stays open until the process ends.
func closedPort() -> Int { bindOnLoopback().port }

private func loopback(port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}
