import Foundation
import Hummingbird
import JSON
import NIOCore
import Testing
import Threads

@testable import FleetHarness

/// The phone of the person on duty: a chat's address on the loopback, and what arrived there.
final class DutyPhone: Sendable {
    struct Message: Sendable {
        /// The channel it came by.
        let channel: String
        let subject: String
        /// `What`, `Where`, `Since`, `How many`, `How much`, `Why`, `What to do`, `Command`.
        let fields: [String: String]
        let text: String

        var isEnd: Bool { subject.contains("resolved") }
        /// The words after `tillbridge`.
        var command: [String] {
            fields["Command"]?.split(separator: " ").dropFirst().map(String.init) ?? []
        }
    }

    private let messages = Locked<[Message]>([])
    private let refusals = Locked((left: 0, of: ""))

    var heard: [Message] { messages.withLock { $0 } }

    /// The next so many messages are not taken. A fleet has a mind of its own and may ring at any moment: a test that
    /// waits for one message's refusal names it.
    /// - Parameter words: only messages with these in their text; all where empty.
    func refuse(_ count: Int, of words: String = "") { refusals.withLock { $0 = (count, words) } }
    var stillToRefuse: Int { refusals.withLock { $0.left } }

    /// - Parameter work: gets the address; a channel's name goes behind it.
    static func with(_ work: (DutyPhone, String) async throws -> Void) async throws {
        let phone = DutyPhone()
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // Ends by cancellation below; what it throws before that ends the stream, and the test fails on it.
                defer { continuation.finish() }
                let router = Router()
                router.post(":channel") { request, context in
                    let body = try await request.body.collect(upTo: 1 << 20)
                    return phone.take(context.parameters.get("channel") ?? "", Array(buffer: body))
                }
                try await Application(
                    router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
                    onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) }
                ).run()
            }
            var listening = ports.makeAsyncIterator()
            let port = try #require(await listening.next())
            try await work(phone, "http://127.0.0.1:\(port)/")
            group.cancelAll()
        }
    }

    private func take(_ channel: String, _ body: [UInt8]) -> HTTPResponse.Status {
        guard let text = (try? JSON(parsing: body))?["text"]?.string else { return .internalServerError }
        let isRefused = refusals.withLock { refusal in
            guard refusal.left > 0, refusal.of.isEmpty || text.contains(refusal.of) else { return false }
            refusal.left -= 1
            return true
        }
        guard !isRefused else { return .internalServerError }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
            $0.replacing("&amp;", with: "&").replacing("&lt;", with: "<").replacing("&gt;", with: ">")
        }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.range(of: ": ") else { continue }
            fields[String(line[..<colon.lowerBound])] = String(line[colon.upperBound...])
        }
        let message = Message(
            channel: channel, subject: lines[0].trimmingCharacters(in: ["*"]), fields: fields, text: text)
        messages.withLock { $0.append(message) }
        return .ok
    }
}
