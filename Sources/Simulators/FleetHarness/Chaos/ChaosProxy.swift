import Glibc
import Threads

/// TCP between the fleet and what it talks to, link by link, on one thread of its own: a link can be cut, kept silent,
/// made deaf or barred, and is well again a moment later.
///
/// One link is one worker's way to one server, so that a writer may lose the database while its neighbours keep it.
final class ChaosProxy: Sendable {
    enum Mood: Sendable, Equatable {
        case open
        /// Nothing moves either way, nobody is told.
        case silent
        /// What is sent arrives, what is answered does not: the outcome stays unknown to the asker.
        case deaf
        /// No new connection, and none of the old ones.
        case barred
    }

    private struct Link: Sendable {
        let listener: Int32
        var target: UInt16
        var mood = Mood.open
        /// Connections made before the last cut end.
        var cuts = 0
    }

    private struct State: Sendable {
        var links: [Link] = []
        var isOver = false
        /// How often the thread has looked at its orders.
        var looks = 0
    }

    private let state = Locked(State())

    init() {
        let state = state
        let thread = DedicatedThread(name: "tb-chaos-proxy")
        // Runs on a thread of its own until `stop()`: it polls sockets and blocks.
        Task { await ProxyLoop(thread: thread, moods: { Self.moods(state) }).run() }
    }

    private static func moods(_ state: Locked<State>) -> [ProxyLoop.Order]? {
        state.withLock { state in
            guard !state.isOver else { return nil }
            state.looks += 1
            return state.links.map {
                ProxyLoop.Order(listener: $0.listener, target: $0.target, mood: $0.mood, cuts: $0.cuts)
            }
        }
    }

    func stop() { state.withLock { $0.isOver = true } }

    /// Rises with each look: once it has, everything ordered before holds.
    var looks: Int { state.withLock { $0.looks } }

    /// A new link to a loopback port.
    ///
    /// - Returns: the link, and the port that leads to `target`.
    func link(to target: Int) throws -> (link: Int, port: Int) {
        let (listener, port) = try Sockets.listen()
        let link = state.withLock { state in
            state.links.append(Link(listener: listener, target: UInt16(target)))
            return state.links.count - 1
        }
        return (link, port)
    }

    /// - Parameter cutting: ends the connections there are.
    func set(_ link: Int, _ mood: Mood, cutting: Bool = false) {
        state.withLock { state in
            state.links[link].mood = mood
            if cutting || mood == .barred { state.links[link].cuts += 1 }
        }
    }

    func healAll() {
        state.withLock { state in
            for index in state.links.indices where state.links[index].mood != .open {
                state.links[index].mood = .open
                state.links[index].cuts += 1
            }
        }
    }
}

/// The proxy's sockets and what is on its way, touched by one thread.
private actor ProxyLoop {
    struct Order: Sendable {
        let listener: Int32
        let target: UInt16
        let mood: ChaosProxy.Mood
        let cuts: Int
    }

    private struct Pair {
        let link: Int
        let cuts: Int
        let client: Int32
        let server: Int32
        var toServer: [UInt8] = []
        var toClient: [UInt8] = []
        /// A side that has said goodbye: what is left is delivered, then both end.
        var isEnding = false
        var isOver = false
    }

    private let thread: DedicatedThread
    private let moods: @Sendable () -> [Order]?
    private var pairs: [Pair] = []
    private var buffer = [UInt8](repeating: 0, count: 65_536)

    private static let bufferMax = 1 << 20
    private static let tick: Int32 = 10

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(thread: DedicatedThread, moods: @escaping @Sendable () -> [Order]?) {
        self.thread = thread
        self.moods = moods
    }

    func run() {
        var last: [Order] = []
        while let orders = moods() {
            last = orders
            turn(orders)
        }
        for pair in pairs { end(pair, hard: true) }
        for order in last { close(order.listener) }
        thread.stop()
    }

    private func turn(_ orders: [Order]) {
        for index in pairs.indices where pairs[index].cuts != orders[pairs[index].link].cuts {
            pairs[index].isOver = true
        }
        var entries = orders.map { pollfd(fd: $0.listener, events: Int16(POLLIN), revents: 0) }
        for pair in pairs {
            let mood = orders[pair.link].mood
            entries.append(entry(pair.client, from: pair.toServer, out: pair.toClient, mood, pair.isEnding))
            entries.append(entry(pair.server, from: pair.toClient, out: pair.toServer, mood, pair.isEnding))
        }
        _ = poll(&entries, nfds_t(entries.count), Self.tick)
        for index in pairs.indices where !pairs[index].isOver {
            let at = orders.count + 2 * index
            move(&pairs[index], orders[pairs[index].link].mood, entries[at].revents, entries[at + 1].revents)
        }
        for pair in pairs where pair.isOver { end(pair, hard: !pair.isEnding) }
        pairs.removeAll { $0.isOver }
        for (link, order) in orders.enumerated() where entries[link].revents != 0 { accept(link, order) }
    }

    private func entry(
        _ descriptor: Int32, from: [UInt8], out: [UInt8], _ mood: ChaosProxy.Mood, _ isEnding: Bool
    ) -> pollfd {
        var events: Int16 = 0
        if mood != .silent {
            if from.count < Self.bufferMax, !isEnding { events |= Int16(POLLIN) }
            if !out.isEmpty { events |= Int16(POLLOUT) }
        }
        // A negative descriptor is passed over: else a silent link's hang-up would wake us without end.
        return pollfd(fd: events == 0 ? -1 : descriptor, events: events, revents: 0)
    }

    private func move(_ pair: inout Pair, _ mood: ChaosProxy.Mood, _ client: Int16, _ server: Int16) {
        if client & ~Int16(POLLOUT) != 0, !pair.isEnding {
            if let bytes = take(pair.client) { pair.toServer += bytes } else { pair.isEnding = true }
        }
        if server & ~Int16(POLLOUT) != 0, !pair.isEnding {
            guard let bytes = take(pair.server) else { return pair.isEnding = true }
            if mood != .deaf { pair.toClient += bytes }
        }
        if mood == .silent { return }
        if !Sockets.flush(pair.server, &pair.toServer) || !Sockets.flush(pair.client, &pair.toClient) {
            pair.isOver = true
        }
        if pair.isEnding, pair.toServer.isEmpty, pair.toClient.isEmpty { pair.isOver = true }
    }

    /// What has arrived; nil when the other side has said goodbye or is gone.
    private func take(_ descriptor: Int32) -> ArraySlice<UInt8>? {
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count > 0 { return buffer[..<count] }
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? [] : nil
    }

    private func accept(_ link: Int, _ order: Order) {
        let client = Glibc.accept(order.listener, nil, nil)
        guard client >= 0 else { return }
        Sockets.keepToOurselves(client)
        guard order.mood != .barred, let server = Sockets.connect(to: order.target) else {
            return Sockets.end(client, hard: true)
        }
        for descriptor in [client, server] { Sockets.prepare(descriptor) }
        pairs.append(Pair(link: link, cuts: order.cuts, client: client, server: server))
    }

    private func end(_ pair: Pair, hard: Bool) {
        Sockets.end(pair.client, hard: hard)
        Sockets.end(pair.server, hard: hard)
    }
}

private enum Sockets {
    /// No process the harness starts may inherit a socket: a connection ends when the last that holds it lets go.
    static func keepToOurselves(_ descriptor: Int32) { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }

    private static func open() -> Int32 {
        socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }

    static func listen() throws -> (descriptor: Int32, port: Int) {
        let descriptor = open()
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && Glibc.listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw HarnessError("no loopback port is free for a proxy") }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    static func connect(to port: UInt16) -> Int32? {
        let descriptor = open()
        let address = loopback(port)
        let isConnected = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    static func prepare(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        // Else small answers wait for acknowledgements of small questions.
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// - Returns: false when the other side is gone.
    static func flush(_ descriptor: Int32, _ bytes: inout [UInt8]) -> Bool {
        guard !bytes.isEmpty else { return true }
        let count = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        if count > 0 { bytes.removeFirst(count) }
        return count > 0 || errno == EAGAIN || errno == EINTR
    }

    /// - Parameter hard: with a reset, as when a machine is gone; else with a goodbye.
    static func end(_ descriptor: Int32, hard: Bool) {
        if hard {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }
        close(descriptor)
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = port.bigEndian
        return address
    }
}
