import Hummingbird
import Logging
import NIOCore
package import Settings

/// Waits on the loopback for the browser that comes back from the consent page.
///
/// It answers one path, takes one answer that carries the request's `state`, and ends. An answer with another `state`
/// is refused and does not end the wait: it is not ours, and nobody shall be able to break off a consent by guessing.
package struct RedirectListener: Sendable {
    package enum Outcome: Sendable {
        case code(Secret)
        /// The person said no, or the service refused the request: its code of error.
        case refused(String)
    }

    private let path: String
    private let port: Int

    /// - Parameters:
    ///   - path: of the redirect address, such as `/callback`.
    ///   - port: 0 takes a free one.
    package init(path: String, port: Int) {
        self.path = path
        self.port = port
    }

    /// Listens for as long as the wait takes, at most `limit`.
    ///
    /// - Parameters:
    ///   - request: told the port, makes the request whose answer is waited for.
    ///   - show: shows it to the person. Only now, when its `state` is expected: an answer may come at once.
    /// - Returns: nil when nobody came in time.
    /// - Throws: when the port cannot be listened on.
    package func wait(
        atMost limit: Duration, for request: @Sendable @escaping (Int) -> ConsentRequest,
        show: @Sendable @escaping (ConsentRequest) -> Void
    ) async throws -> Outcome? {
        let (ports, announce) = AsyncStream.makeStream(of: Int.self)
        let (answers, answer) = AsyncStream.makeStream(of: Outcome.self)
        let desk = ConsentDesk(answer)
        return try await withThrowingTaskGroup(of: Outcome?.self) { group in
            group.addTask {
                // Without a port the stream ends, and so does the wait for it.
                defer { announce.finish() }
                try await serve(desk) { announce.yield($0) }
                return nil
            }
            group.addTask {
                for await port in ports {
                    let request = request(port)
                    await desk.expect(request.state)
                    show(request)
                    break
                }
                for await outcome in answers { return outcome }
                return nil
            }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    private func serve(_ desk: ConsentDesk, _ onListening: @escaping @Sendable (Int) -> Void) async throws {
        var quiet = Logger(label: "consent")
        // The server's own log would show the query, and with it the code.
        quiet.logLevel = .critical
        let path = path
        let application = Application(
            responder: CallbackResponder { (request: Request, _: BasicRequestContext) in
                guard request.uri.path == path, request.method == .get else {
                    return Self.page(.notFound, "Not here", "This address only takes the answer of a consent page.")
                }
                let query = request.uri.queryParameters
                return await desk.take(
                    state: query["state"].map(String.init), code: query["code"].map(String.init),
                    error: query["error"].map(String.init))
            },
            configuration: ApplicationConfiguration(
                address: .hostname("127.0.0.1", port: port), serverName: nil),
            onServerRunning: { channel in onListening(channel.localAddress?.port ?? 0) }, logger: quiet)
        try await application.run()
    }

    /// - Parameter afterwards: called once the page is on its way: what ends the listener must not cut the page off.
    static func page(
        _ status: HTTPResponse.Status, _ title: String, _ text: String,
        afterwards: @escaping @Sendable () -> Void = {}
    ) -> Response {
        let html = """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>\(title)</title>
            <body style="font:18px/1.5 sans-serif;max-width:34em;margin:4em auto">
            <h1>\(title)</h1><p>\(text)</p></body></html>

            """
        var headers: HTTPFields = [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"]
        headers[.contentSecurityPolicy] = "default-src 'none'; style-src 'unsafe-inline'"
        headers[.connection] = "close"
        let bytes = ByteBuffer(string: html)
        let body = ResponseBody(contentLength: bytes.readableBytes) { writer in
            try await writer.write(bytes)
            try await writer.finish(nil)
            afterwards()
        }
        return Response(status: status, headers: headers, body: body)
    }
}

/// Takes the one answer that belongs to the request.
private actor ConsentDesk {
    private let answer: AsyncStream<RedirectListener.Outcome>.Continuation
    private var state: Secret?
    private var isTaken = false

    init(_ answer: AsyncStream<RedirectListener.Outcome>.Continuation) { self.answer = answer }

    func expect(_ state: Secret) { self.state = state }

    func take(state given: String?, code: String?, error: String?) -> Response {
        if isTaken {
            return RedirectListener.page(
                .gone, "Already used", "An answer has arrived before. If it was not yours, run the command again.")
        }
        guard let given, let state, Self.isSame(given, state.revealed) else {
            return RedirectListener.page(
                .badRequest, "Not this request",
                "This answer does not belong to the request that is waiting. Open the address the command printed.")
        }
        guard let code, !code.isEmpty, code.utf8.count <= 2048 else {
            isTaken = true
            let outcome = RedirectListener.Outcome.refused(Self.plain(error ?? "no code was sent"))
            return RedirectListener.page(
                .ok, "No access was given",
                "Nothing was changed. You can close this window and run the command again."
            ) { [answer] in answer.yield(outcome) }
        }
        isTaken = true
        return RedirectListener.page(
            .ok, "Tillbridge has the answer", "You can close this window. The command shows how it went on."
        ) { [answer] in answer.yield(.code(Secret(code))) }
    }

    /// In a time that does not tell how much of it was right.
    private static func isSame(_ a: String, _ b: String) -> Bool {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// What came from outside goes to a terminal: letters and little else.
    private static func plain(_ text: String) -> String {
        String(text.prefix(80).map { $0.isASCII && ($0.isLetter || $0.isNumber || "_- .".contains($0)) ? $0 : "?" })
    }
}
