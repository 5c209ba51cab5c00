import Hummingbird
package import Logging
import NIOCore
import ServiceLifecycle

/// `/live`, `/ready` and `/metrics` of one worker, on an address of its own.
package struct HealthServer: Service {
    private let host: String
    private let port: Int
    private let health: Health
    private let metrics: Metrics
    private let logger: Logger

    /// - Parameter address: `host:port`; port 0 takes any free one, which is then logged.
    package init?(address: String, health: Health, metrics: Metrics, logger: Logger) {
        guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        host = String(address[..<colon])
        self.port = port
        self.health = health
        self.metrics = metrics
        self.logger = logger
    }

    package func run() async throws {
        let router = Router()
        router.get("live") { _, _ in "alive\n" }
        router.get("ready") { [health] _, _ in
            guard let reason = health.whyNotReady else { return Self.text("ready\n", .ok) }
            return Self.text("waiting for \(reason)\n", .serviceUnavailable)
        }
        router.get("metrics") { [metrics] _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.rendered())))
        }
        var quiet = logger
        quiet.logLevel = .warning
        let application = Application(
            router: router, configuration: .init(address: .hostname(host, port: port), serverName: "tillbridge"),
            onServerRunning: { [logger] channel in
                logger.info("health at \(channel.localAddress?.description ?? "?")")
            }, logger: quiet)
        try await application.run()
    }

    private static func text(_ text: String, _ status: HTTPResponse.Status) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
