import Glibc
import HTTPTypes
import Hummingbird
package import Logging
import NIOCore
import ServiceLifecycle

/// What a call may need of its connection: to close it without an answer.
struct KountaContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// The simulated service on a socket. Runs until it is told to stop gracefully or its task is cancelled.
package struct KountaServer: Service {
    private let model: KountaModel
    private let host: String
    private let port: Int
    private let logger: Logger
    private let onRunning: @Sendable (Int) async -> Void
    private let deliveries: AsyncStream<HookDelivery>

    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - clock: Unix milliseconds.
    ///   - onRunning: called once with the port that calls are taken on.
    package init(
        settings: KountaSettings, host: String = "127.0.0.1", port: Int = 0, logger: Logger,
        clock: @escaping @Sendable () -> Int64 = WallClock.milliseconds,
        onRunning: @escaping @Sendable (Int) async -> Void
    ) async throws {
        let (deliveries, continuation) = AsyncStream.makeStream(of: HookDelivery.self)
        model = try await KountaModel(settings: settings, clock: clock) { continuation.yield($0) }
        (self.host, self.port, self.logger) = (host, port, logger)
        (self.onRunning, self.deliveries) = (onRunning, deliveries)
    }

    package func run() async throws {
        let application = Application(
            responder: CallbackResponder { request, context in try await respond(to: request, context) },
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: "kounta-sim"),
            services: [Ticker(model: model), HookSender(deliveries: deliveries, logger: logger)],
            onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? port) },
            logger: logger)
        try await application.run()
    }

    private func respond(to request: Request, _ context: KountaContext) async throws -> Response {
        var request = request
        var call = Call(method: request.method.rawValue, path: request.uri.path)
        call.query = request.uri.query.map(FormText.pairs) ?? []
        for field in request.headers { call.headers[field.name.canonicalName] = field.value }
        call.origin = "http://" + (request.head.authority ?? "\(host):\(port)")
        if request.method == .post || request.method == .put {
            call.body = Array(buffer: try await request.collectBody(upTo: 4 << 20))
        }
        let answer = try await answer(call)
        if answer.delivery == .drop { try await context.channel.close() }
        var headers = HTTPFields()
        for (name, value) in answer.headers {
            guard let name = HTTPField.Name(name) else { continue }
            headers.append(HTTPField(name: name, value: value))
        }
        return Response(
            status: .init(code: answer.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
    }
}

extension KountaServer {
    /// Counted as in flight until it is due.
    private func answer(_ call: Call) async throws -> Answer {
        if call.path.hasPrefix("/_control") { return await model.answer(call) }
        await model.enter()
        let answer = await model.answer(call)
        var wait: Result<Void, any Error> = .success(())
        if answer.delayMilliseconds > 0 {
            do { try await Task.sleep(for: .milliseconds(answer.delayMilliseconds)) } catch { wait = .failure(error) }
        }
        await model.leave()
        try wait.get()
        return answer
    }
}

/// Lets due orders appear when nobody asks, so that hooks go out in time.
private struct Ticker: Service {
    let model: KountaModel

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await model.advance()
                // Cancelled sleep: the loop ends.
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}

/// Real time.
package enum WallClock {
    /// Milliseconds since 1970 UTC.
    @Sendable package static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}

/// Runs a simulated service for as long as `body` takes, on a free port of the loopback.
/// - Parameter body: gets the service's address, such as `http://127.0.0.1:41234`.
package func withKountaSimulator<Result: Sendable>(
    _ settings: KountaSettings, clock: @escaping @Sendable () -> Int64 = WallClock.milliseconds,
    _ body: @Sendable (String) async throws -> Result
) async throws -> Result {
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    var logger = Logger(label: "kounta-sim")
    logger.logLevel = .error
    let server = try await KountaServer(settings: settings, logger: logger, clock: clock) { continuation.yield($0) }
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            defer { continuation.finish() }
            try await server.run()
        }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else {
            try await group.waitForAll()
            throw CancellationError()
        }
        let result = try await body("http://127.0.0.1:\(port)")
        group.cancelAll()
        // Stopping by cancellation is what was asked for.
        do { try await group.waitForAll() } catch is CancellationError {}
        return result
    }
}
