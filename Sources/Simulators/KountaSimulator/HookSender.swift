import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Posts hooks, each once and without waiting for the others; the answer is read and forgotten, as the service knows no
/// retries.
struct HookSender: Service {
    let deliveries: AsyncStream<HookDelivery>
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for await delivery in deliveries {
                    group.addTask {
                        do { try await Self.send(delivery) } catch {
                            logger.warning("hook \(delivery.topic) to \(delivery.address) failed: \(error)")
                        }
                    }
                }
            }
        }
    }

    /// Writes one HTTP/1.1 request and waits until the other side closes, at most ten seconds.
    static func send(_ delivery: HookDelivery) async throws {
        guard let target = Target(delivery.address) else {
            throw RecordProblem(description: "only http:// addresses are posted to")
        }
        var head = "POST \(target.path) HTTP/1.1\r\nHost: \(target.host):\(target.port)\r\nConnection: close\r\n"
        head += "Content-Type: application/json\r\nContent-Length: \(delivery.body.count)\r\n"
        head += "X-Kounta-Topic: \(delivery.topic)\r\nX-Kounta-Signature: \(delivery.signature)\r\n"
        for (name, value) in delivery.hook.headers { head += "\(name): \(value)\r\n" }
        var request = ByteBuffer(string: head + "\r\n")
        request.writeBytes(delivery.body)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(5))
            .connect(host: target.host, port: target.port)
            .get()
        let deadline = channel.eventLoop.scheduleTask(in: .seconds(10)) { channel.close(promise: nil) }
        try await channel.writeAndFlush(request)
        try await channel.closeFuture.get()
        deadline.cancel()
    }

    /// The parts of `http://host:port/path`.
    struct Target: Equatable {
        let host: String
        let port: Int
        let path: String

        init?(_ address: String) {
            guard address.hasPrefix("http://") else { return nil }
            let rest = address.dropFirst(7)
            let authority = rest.prefix { $0 != "/" }
            let parts = authority.split(separator: ":")
            guard let host = parts.first, let port = parts.count > 1 ? Int(parts[1]) : 80 else { return nil }
            (self.host, self.port) = (String(host), port)
            path = authority.endIndex == rest.endIndex ? "/" : String(rest[authority.endIndex...])
        }
    }
}
