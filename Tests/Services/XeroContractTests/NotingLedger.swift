import Credentials
import Domain
import HTTP
import Hummingbird
import Logging
import Testing
import Xero

/// A server that answers nothing of use and notes each call, with the fleet's own client before it: what it notes is
/// what Xero would be sent, byte for byte.
actor NotedCalls {
    private(set) var calls: [WireCall] = []
    fileprivate func add(_ call: WireCall) { calls.append(call) }
}

enum NotingLedger {
    static func calls(_ make: @escaping @Sendable (XeroClient) async throws -> Void) async throws -> [WireCall] {
        let noted = NotedCalls()
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let server = Application(
            responder: CallbackResponder<BasicRequestContext> { request, _ in
                await noted.add(try await call(request))
                return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: "{}")))
            },
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in continuation.yield(channel.localAddress?.port ?? 0) },
            logger: Logger(label: "noting") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // Ends by cancellation below; what it throws before that ends the stream, and the test fails on it.
                defer { continuation.finish() }
                try await server.run()
            }
            var listening = ports.makeAsyncIterator()
            let port = try #require(await listening.next())
            let http = HTTPClient(name: "test-http", configuration: HTTPConfiguration())
            let client = XeroClient(
                organisation: OrganisationKey("harbour"), http: http, base: "http://127.0.0.1:\(port)",
                tenant: "8be9f0a2-5c1d-4f0e-9a53-0f6b7d3c1a01", tokens: OneToken(), budget: NoLimit(),
                onCall: { _, _, _ in })
            let result: Result<Void, any Error>
            do { result = .success(try await make(client)) } catch { result = .failure(error) }
            await http.close()
            group.cancelAll()
            try result.get()
        }
        return await noted.calls
    }

    private static func call(_ request: Request) async throws -> WireCall {
        var request = request
        let body = try await request.collectBody(upTo: 32 << 20)
        let base = "/api.xro/2.0"
        var call = WireCall(
            method: request.method.rawValue,
            path: request.uri.path.hasPrefix(base) ? String(request.uri.path.dropFirst(base.count)) : request.uri.path)
        call.query = request.uri.queryParameters.map { (String($0.key), String($0.value)) }
        for field in request.headers { call.headers[field.name.canonicalName] = field.value }
        call.body = Array(buffer: body)
        return call
    }
}

private struct OneToken: AccessTokens {
    func accessToken(insteadOf refused: String?) async throws(TokenTrouble) -> String { "token" }
}

/// The server sets no limits.
private struct NoLimit: CallBudget {
    func take(
        _ purpose: CallPurpose, isRead: Bool, for organisation: OrganisationKey
    ) async throws -> CallPermit {
        CallPermit(organisation: organisation, id: nil)
    }
    func takeAtOnce(
        _ purpose: CallPurpose, isRead: Bool, for organisation: OrganisationKey
    ) async throws -> CallPermit? {
        try await take(purpose, isRead: isRead, for: organisation)
    }
    func giveBack(_ permit: CallPermit, headers: HTTPHeaders?, result: CallResult) async {}
    func closed(_ organisation: OrganisationKey) async throws -> Duration? { nil }
    func park(_ organisation: OrganisationKey, for duration: Duration, reason: String) async {}
}
