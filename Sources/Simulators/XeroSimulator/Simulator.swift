internal import HTTPTypes
package import Hummingbird
internal import JSON
package import Logging
internal import NIOCore

/// The vendor's accounting service, its identity service and a control API on one port, in memory.
///
/// It holds no money or mapping code of the programs it tests: it computes every amount itself and so judges them.
package struct Simulator: Sendable {
    package let settings: SimulatorSettings
    private let state: SimulatorState

    package init(_ settings: SimulatorSettings) {
        self.settings = settings
        state = SimulatorState(settings)
    }

    /// The service, ready to `runService()`. `port` 0 takes a free one; `onListening` learns which.
    package func application(
        host: String = "127.0.0.1", port: Int = 0, logger: Logger? = nil,
        onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) -> Application<SimulatorResponder> {
        Application(
            responder: SimulatorResponder(settings: settings, state: state),
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: nil),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? port) },
            logger: logger ?? Self.quiet)
    }

    private static var quiet: Logger {
        var logger = Logger(label: "xero-sim") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .error
        return logger
    }
}

/// The gate now in force. A reset puts a fresh one in its place; calls on the way finish with the one they met.
actor SimulatorState {
    private let settings: SimulatorSettings
    private(set) var gate: Gate

    init(_ settings: SimulatorSettings) {
        self.settings = settings
        gate = Gate(settings)
    }

    func reset() { gate = Gate(settings) }
}

/// What a call needs of its connection: to close it, and to know where it comes from.
package struct ConnectionContext: InitializableFromSource, Sendable {
    private let channel: any Channel

    package init(source: ApplicationRequestContextSource) { channel = source.channel }

    func close() async { try? await channel.close() }

    /// The control API answers callers of this machine only.
    var isLocal: Bool {
        guard let address = channel.remoteAddress?.ipAddress else { return true }
        return address.hasPrefix("127.") || address == "::1" || address.hasPrefix("::ffff:127.")
    }
}

/// Leads each request to the accounting API, the identity service or the control API. One switch instead of a router:
/// there are few paths and it is on the benchmark's hot way.
package struct SimulatorResponder: HTTPResponder {
    package typealias Context = ConnectionContext

    let settings: SimulatorSettings
    let state: SimulatorState

    /// Bodies beyond the vendor's 3.5 MB are refused.
    private static let bodyMax = 3_500_000

    package func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        let gate = await state.gate
        let path = request.uri.path
        guard let body = try? await request.body.collect(upTo: Self.bodyMax) else {
            return Self.response(.text(413, "The request is too large"))
        }
        let exchange = Exchange(
            method: request.method.rawValue, path: path, query: Query(request.uri.query ?? ""), request: request,
            body: Array(body.readableBytesView), now: settings.now())
        let answer: Answer
        if path.hasPrefix("/_control") {
            guard context.isLocal else { return Self.response(.text(403, "The control API answers this machine only")) }
            answer = await Control(state: state, gate: gate).answer(exchange)
        } else if path.hasPrefix("/api.xro/2.0/") {
            answer = await accounting(exchange, gate, context)
        } else {
            answer = await identity(exchange, gate, context)
        }
        return Self.response(answer)
    }

    // MARK: the accounting API

    private func accounting(_ exchange: Exchange, _ gate: Gate, _ context: ConnectionContext) async -> Answer {
        let tenant = exchange.header("xero-tenant-id")
        switch await gate.admit(token: exchange.bearer, tenant: tenant, now: exchange.now) {
        case .refused(let answer): return answer
        case .admitted(let organisation, let headers):
            var call = exchange.call
            var answer: Answer
            switch await organisation.enter(call.endpoint, now: exchange.now) {
            case .refused(let refusal): answer = refusal
            case .entered(let more):
                answer = await perform(&call, exchange, gate, organisation, context)
                await organisation.leave()
                answer.headers += more
            }
            answer.headers += headers
            return answer
        }
    }

    /// Does a call that has entered, with the fault planned for it, if any.
    private func perform(
        _ call: inout Call, _ exchange: Exchange, _ gate: Gate, _ organisation: Organisation,
        _ context: ConnectionContext
    ) async -> Answer {
        let fault = await gate.fault(call.method, exchange.path, tenant: organisation.tenantID, body: call.body)
        if let fault {
            await wait(fault, gate)
            call.part = fault.part
        }
        var answer: Answer
        if !exchange.acceptsJSON {
            answer = Answer(
                status: 406, contentType: "text/xml; charset=utf-8",
                body: Array("<Response><Status>NotAcceptable</Status></Response>".utf8))
        } else if let fault, fault.isStored {
            answer = await organisation.answer(call, instead: fault.answer ?? Answer(status: 500, contentType: nil))
        } else if let fault, !fault.reachesBooks {
            answer = fault.answer ?? Answer(status: 500, contentType: nil)
        } else {
            answer = await organisation.answer(call, planned: fault?.answer)
        }
        if let fault {
            if fault.drop != nil { await context.close() }
            if fault.status == nil { answer.headers += fault.headers }
        }
        return answer
    }

    private func wait(_ fault: Fault, _ gate: Gate) async {
        if fault.delay > .zero { try? await Task.sleep(for: fault.delay) }
        while fault.isHeld, await gate.clearings == fault.clearings {
            // Cancelled: the simulator ends.
            do { try await Task.sleep(for: .milliseconds(20)) } catch { return }
        }
    }

    // MARK: identity

    private func identity(_ exchange: Exchange, _ gate: Gate, _ context: ConnectionContext) async -> Answer {
        if let fault = await gate.fault(exchange.method, exchange.path, tenant: nil, body: exchange.body) {
            await wait(fault, gate)
            if fault.drop == .before {
                await context.close()
                return fault.answer ?? Answer(status: 500, contentType: nil)
            }
            if let answer = fault.answer { return answer }
            if fault.drop == .after {
                let answer = await identityAnswer(exchange, gate)
                await context.close()
                return answer
            }
        }
        return await identityAnswer(exchange, gate)
    }

    private func identityAnswer(_ exchange: Exchange, _ gate: Gate) async -> Answer {
        let parts = exchange.path.split(separator: "/").map(String.init)
        let form = Query(String(decoding: exchange.body, as: UTF8.self))
        switch (exchange.method, parts.first, parts.count > 1 ? parts[1] : nil) {
        case ("POST", "connect", "token"):
            let basic = exchange.basic
            return await gate.token(
                form, id: basic?.id ?? form["client_id"], secret: basic?.secret ?? form["client_secret"],
                now: exchange.now)
        case ("POST", "connect", "revocation"): return await gate.revoke(form)
        case ("GET", "identity", "connect") where parts.count == 3 && parts[2] == "authorize":
            return await gate.authorize(exchange.query, now: exchange.now)
        case ("GET", "connections", nil), ("DELETE", "connections", _?):
            return await gate.connections(
                exchange.method, parts.count > 1 ? parts[1] : nil, token: exchange.bearer, now: exchange.now)
        default: return .notFound
        }
    }

    private static func response(_ answer: Answer) -> Response {
        var headers = HTTPFields()
        if let type = answer.contentType { headers[.contentType] = type }
        for (name, value) in answer.headers {
            if let name = HTTPField.Name(name) { headers.append(HTTPField(name: name, value: value)) }
        }
        return Response(
            status: .init(code: answer.status), headers: headers,
            body: answer.body.isEmpty ? .init() : .init(byteBuffer: ByteBuffer(bytes: answer.body)))
    }
}
