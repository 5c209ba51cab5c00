import AMQP
import Foundation
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// No dead-letter handler runs for as long as it may be: what failed stays in the broker, for people to look at, and
/// whoever comes back takes all of it, once.
@Suite(.enabled(if: Servers.areThere && Servers.control != nil, Servers.absence), .timeLimit(.minutes(5)))
struct HandlerAwayTests {
    @Test("while no handler runs letters keep, readable as often as one likes; one that comes back takes each once")
    func away() async throws {
        try await RunningFleet.with("away") { running in
            let (run, schema) = (running.fleet.run, running.fleet.schema)
            try await running.fleet.startWorkers(["mapper", "writer"])
            try await running.fleet.waitUntilReady()
            let messages = Messages(run: run)
            // Without the one of ten megabytes, which thirty looks would read thirty times.
            let bad = messages.bad.filter { $0.deadLetterClass != "too_large" }
            try await running.publish(bad.map(\.message) + [messages.order(id: "801")])
            func waiting() async throws -> Int {
                try await running.watch.queued(of: "\(run).dead") + running.watch.queued(of: "\(run).unreadable")
            }
            try await running.wait("the letters and the good order") {
                guard try await waiting() == bad.count else { return false }
                return try await running.invoiceNumbers() == ["HBR-801"]
            }
            try await Self.nothingExpires(in: ["\(run).dead", "\(run).unreadable"])
            try await Self.diesAtLeastOnce(in: ["\(run).map", "\(run).write.harbour", "\(run).retry.30s"])

            // As on the management page: taken and put back, more often than any work queue lets a message come again.
            var seen: Set<[UInt8]> = []
            for turn in 0..<30 {
                let letter = try await running.look(turn % 2 == 0 ? "\(run).dead" : "\(run).unreadable")
                #expect(letter.expiration == nil && letter.isPersistent)
                for header in ["tb-class", "tb-cause", "tb-remedy"] {
                    #expect(letter.headers[header]?.stringValue?.isEmpty == false, "\(header)")
                }
                seen.insert(letter.body)
            }
            #expect(seen.count > 1)
            try await running.wait("all to be put back") { try await waiting() == bad.count }
            #expect(try await running.watch.counts().dead == 0)

            // Two come back at once.
            try await running.fleet.startWorkers(["dead-letter-handler", "dead-letter-handler"])
            try await running.wait("an empty queue and the whole desk") {
                guard try await running.watch.queued() == 0 else { return false }
                return try await running.watch.counts().dead == bad.count
            }
            let rows = try await running.rows(
                """
                SELECT (SELECT count(*) FROM \(schema).dead_letter WHERE state = 'open') AS open,
                       (SELECT count(*) FROM \(schema).dead_letter_arrival) AS arrivals,
                       (SELECT count(DISTINCT letter_id) FROM \(schema).dead_letter_arrival) AS letters
                """)
            for name in ["open", "arrivals", "letters"] {
                #expect(try rows[0].int(.name(name)) == Int64(bad.count), "\(name)")
            }
        }
    }

    @Test("a queue for which the broker does not answer keeps no letter of the other from being settled")
    func silent() async throws {
        try await RunningFleet.with("silent-queue") { running in
            let (dead, unreadable) = ("\(running.fleet.run).dead", "\(running.fleet.run).unreadable")
            try await running.fleet.startWorkers(["mapper"])
            try await running.fleet.waitUntilReady()
            let messages = Messages(run: running.fleet.run)
            let total = messages.order(id: "802") { $0.replacing("\"total\":12.30", with: "\"total\":21.30") }
            try await running.publish([total, messages.order(id: "803", headers: ["tb-version": .int(9)])])
            try await running.wait("both letters") {
                // By the counts that are looked at below: they come a few seconds late.
                try Self.holds(dead) == 1 && Self.holds(unreadable) == 1
            }
            try Self.member(of: unreadable, "suspend")
            let outcome: Result<Void, any Error>
            do {
                try await running.fleet.startWorkers(["dead-letter-handler"])
                try await running.wait("the one letter, settled") {
                    guard try await running.watch.counts().dead == 1 else { return false }
                    return try Self.holds(dead) == 0
                }
                outcome = .success(())
            } catch { outcome = .failure(error) }
            // Whatever happened: a queue that does nothing cannot be deleted.
            try Self.member(of: unreadable, "resume")
            try outcome.get()
            try await running.wait("the other letter") { try await running.watch.counts().dead == 2 }
            try await running.wait("both settled") {
                try Self.holds(dead) + Self.holds(unreadable) == 0
            }
        }
    }

    /// Stops the queue's only member, or lets it go on.
    private static func member(of queue: String, _ what: String) throws {
        let found = "{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"\(queue)\">>))"
        _ = try asked("eval", "\(found), sys:\(what)(amqqueue:get_pid(Q)).")
    }

    /// What waits in a queue and what is in a hand, as the broker counts every few seconds.
    private static func holds(_ queue: String) throws -> Int {
        let listed = try JSON(parsing: asked("-q", "list_queues", "name", "messages", "--formatter", "json"))
        let found = try #require(listed.elements.first { $0["name"]?.string == queue })
        return Int(try #require(found["messages"]?.integer))
    }

    /// What the broker says of these queues, not what we asked for: no message is dropped for its age or for the length
    /// of its queue, no queue for want of a consumer, and no policy says otherwise.
    private static func nothingExpires(in queues: [String]) async throws {
        let listed = try await listed(queues)
        for queue in listed {
            let name = queue["name"]?.string ?? ""
            #expect(queue["durable"]?.bool == true && queue["policy"]?.string?.isEmpty != false, "\(name)")
            let arguments = texts(of: queue)
            #expect(arguments["x-queue-type"] == "quorum" && arguments["x-overflow"] == "reject-publish", "\(name)")
            for never in ["x-message-ttl", "x-expires", "x-max-age"] {
                #expect(arguments[never] == nil, "\(name) has \(never)")
            }
            // No limit is one of twenty on RabbitMQ 4: after twenty looks the letter would be dropped.
            let limit = queue["arguments"]?.elements.first {
                $0.elements[0].string == "x-delivery-limit"
            }?.elements[2].integer ?? 0
            #expect(limit >= 1_000_000_000, "\(name)")
        }
    }

    /// What the broker passes on as a dead letter it keeps until the desk's queue has confirmed it: both arguments are
    /// needed for that, at the queue it dies in.
    private static func diesAtLeastOnce(in queues: [String]) async throws {
        for queue in try await listed(queues) {
            let (name, arguments) = (queue["name"]?.string ?? "", texts(of: queue))
            #expect(arguments["x-queue-type"] == "quorum" && queue["policy"]?.string?.isEmpty != false, "\(name)")
            #expect(arguments["x-dead-letter-strategy"] == "at-least-once", "\(name)")
            #expect(arguments["x-overflow"] == "reject-publish", "\(name)")
            #expect(arguments["x-dead-letter-exchange"]?.isEmpty == false, "\(name)")
        }
    }

    /// Its arguments that are texts: the broker lists each by name, type and value.
    private static func texts(of queue: JSON) -> [String: String] {
        (queue["arguments"]?.elements ?? []).reduce(into: [:]) { texts, argument in
            texts[argument.elements[0].string ?? ""] = argument.elements[2].string ?? ""
        }
    }

    /// As the broker has them; all of `queues`, or the test fails.
    private static func listed(_ queues: [String]) async throws -> [JSON] {
        let output = try asked("-q", "list_queues", "name", "arguments", "policy", "durable", "--formatter", "json")
        let listed = try JSON(parsing: output).elements.filter { queues.contains($0["name"]?.string ?? "") }
        try #require(listed.count == queues.count)
        return listed
    }

    private static func asked(_ arguments: String...) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Servers.control))
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = Array(pipe.fileHandleForReading.readDataToEndOfFile())
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return output
    }
}
