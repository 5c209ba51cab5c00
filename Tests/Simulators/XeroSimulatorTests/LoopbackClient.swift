import NIOCore
import NIOHTTP1
import NIOPosix

/// A small HTTP client over the loopback: one connection a call, so that a dropped connection is seen as such and
/// never quietly tried again.
struct LoopbackClient: Sendable {
    let port: Int

    struct Dropped: Error {}

    func send(
        _ method: HTTPMethod, _ uri: String, _ headers: HTTPHeaders, _ body: String?
    ) async throws -> (status: Int, headers: HTTPHeaders, text: String) {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var head = HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: headers)
            head.headers.replaceOrAdd(name: "Host", value: "localhost")
            head.headers.replaceOrAdd(name: "Content-Length", value: String(body?.utf8.count ?? 0))
            try await outbound.write(.head(head))
            if let body { try await outbound.write(.body(.byteBuffer(ByteBuffer(string: body)))) }
            try await outbound.write(.end(nil))
            var answer: HTTPResponseHead?
            var text = ByteBuffer()
            for try await part in inbound {
                switch part {
                case .head(let head): answer = head
                case .body(var bytes): text.writeBuffer(&bytes)
                case .end:
                    guard let answer else { throw Dropped() }
                    return (Int(answer.status.code), answer.headers, String(buffer: text))
                }
            }
            throw Dropped()
        }
    }
}
