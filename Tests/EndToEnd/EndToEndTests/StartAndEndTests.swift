import AMQP
import Foundation
import Postgres
import Testing

@testable import FleetHarness

/// The first and the last moments of workers: servers that come later or go for a while, and SIGTERM in full work.
@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(8)))
struct StartAndEndTests {
    @Test("SIGTERM in the middle of a backlog: the writer finishes what it has in hand; nothing is handed out twice")
    func writer() async throws {
        try await RunningFleet.with("drain-writer") { running in
            let (fleet, count) = (running.fleet, 900)
            try await fleet.startWorkers(["mapper", "dead-letter-handler"])
            try await fleet.waitUntilReady()
            let messages = Messages(run: fleet.run)
            try await running.publish((1...count).map { messages.order(id: "7\(1000 + $0)") })
            let queue = "\(fleet.run).write.harbour"
            try await running.wait("the backlog") { try await running.watch.queued(of: queue) == count }
            // Slow enough that the end comes while other calls are under way, invoices and payments.
            try await fleet.xero.post(
                "/_control/faults", #"{"match":{"method":"PUT"},"action":{"delayMs":400},"count":1000}"#)
            let writer = try await fleet.startWorker(
                "writer", log: "writer", environment: ["TILLBRIDGE_STOP_AT": "writer.payments-answered:1"])
            try await running.wait("the middle") { writer.isStopped }
            await fleet.children.remove(writer)
            #expect(await writer.stop(grace: .seconds(30)) == 0)

            let left = try await running.drain(queue)
            #expect(left.count(where: \.redelivered) == 0)
            let written = try await running.settledDocuments()
            #expect(written + left.count == count, "\(written) are settled, \(left.count) left")
            #expect(!left.isEmpty, "the backlog was too short to be interrupted")
            // What it did not take is nobody's yet, and the next one does it.
            try await fleet.xero.delete("/_control/faults")
            try await running.publish(left.map(\.message))
            _ = try await fleet.startWorker("writer", log: "writer-next")
            try await running.wait("all of it") { try await running.settledDocuments() == count }
            #expect(try await Set(running.invoiceNumbers()).count == count)
            #expect(try await running.invoiceNumbers().count == count)
        }
    }

    @Test("SIGTERM while letters arrive: the handler keeps what it has in hand; nothing is handed out twice")
    func handler() async throws {
        try await RunningFleet.with("drain-handler") { running in
            let (fleet, count) = (running.fleet, 3000)
            try await fleet.startWorkers(["mapper"])
            try await fleet.waitUntilReady()
            let messages = Messages(run: fleet.run)
            try await running.publish(
                (1...count).map {
                    messages.order(id: "6\(1000 + $0)") { $0.replacing("\"total\":12.30", with: "\"total\":-1.00") }
                })
            let queue = "\(fleet.run).dead"
            try await running.wait("the letters") { try await running.watch.queued(of: queue) == count }
            let handler = try await fleet.startWorker(
                "dead-letter-handler", log: "handler", environment: ["TILLBRIDGE_STOP_AT": "handler.kept:2"])
            try await running.wait("the middle") { handler.isStopped }
            #expect(try await running.watch.counts().dead > 0)
            await fleet.children.remove(handler)
            #expect(await handler.stop(grace: .seconds(30)) == 0)
            let left = try await running.drain(queue)
            #expect(left.count(where: \.redelivered) == 0)
            #expect(try await running.watch.counts().dead + left.count == count)
            #expect(!left.isEmpty, "there were too few letters to be interrupted")
        }
    }

    @Test(
        "servers that come after the workers, in either order, and go for a while: each says what it waits for",
        arguments: [Server.broker, .database])
    func late(first: Server) async throws {
        try await RunningFleet.with("late-\(first)", ordersPerVenue: 2) { running in
            let (fleet, proxy) = (running.fleet, ChaosProxy())
            defer { proxy.stop() }
            let doors = try Doors(fleet, proxy)
            var ready: [SimulatorClient] = []
            for worker in ["poller", "mapper", "writer", "dead-letter-handler"] {
                _ = try await fleet.startWorker(worker, log: worker, environment: doors.environment)
                ready.append(try await running.health(of: worker))
            }
            func all(_ what: String, _ answer: (Int, String) -> Bool) async throws {
                for client in ready {
                    try await running.wait(what) {
                        answer(await client.status("/ready") ?? 0, await client.text("/ready") ?? "")
                    }
                }
            }
            let second: Server = first == .broker ? .database : .broker
            try await all("both to be waited for") { (status, text) in
                status == 503 && Server.allCases.allSatisfy { text.contains($0.rawValue) }
            }
            doors.open(first)
            try await all("the other to be waited for") { status, text in
                status == 503 && text.contains(second.rawValue) && !text.contains(first.rawValue)
            }
            doors.open(second)
            try await all("readiness") { status, _ in status == 200 }
            try await running.waitUntilDone()
            #expect(try await running.proof().holds)
            for server in [first, second] {
                doors.bar(server)
                try await all("the \(server) to be missed") { $0 == 503 && $1.contains(server.rawValue) }
                doors.open(server)
                try await all("readiness after the \(server) was away") { status, _ in status == 200 }
            }
            for client in ready { await client.close() }
        }
    }

    enum Server: String, CaseIterable { case broker, database }

    /// The workers' ways to their servers, each of which can be barred.
    private struct Doors {
        private let proxy: ChaosProxy
        private let links: [Server: Int]
        let environment: [String: String]

        init(_ fleet: Fleet, _ proxy: ChaosProxy) throws {
            self.proxy = proxy
            var links: [Server: Int] = [:]
            var environment: [String: String] = [:]
            for (server, name, url) in [
                (Server.broker, "TILLBRIDGE_RABBITMQ_URL", fleet.options.rabbitMQ),
                (.database, "TILLBRIDGE_DATABASE_URL", fleet.options.database),
            ] {
                let digits = url.split(separator: "127.0.0.1:", maxSplits: 1).last?.prefix { $0.isNumber } ?? ""
                let port = try #require(Int(digits))
                let (link, own) = try proxy.link(to: port)
                proxy.set(link, .barred)
                links[server] = link
                environment[name] = url.replacing("127.0.0.1:\(port)", with: "127.0.0.1:\(own)")
            }
            (self.links, self.environment) = (links, environment)
        }

        func open(_ server: Server) { if let link = links[server] { proxy.set(link, .open) } }
        func bar(_ server: Server) { if let link = links[server] { proxy.set(link, .barred) } }
    }
}

extension RunningFleet {
    /// Documents that are written and paid.
    fileprivate func settledDocuments() async throws -> Int {
        let rows = try await rows(
            "SELECT count(*) AS n FROM \(fleet.schema).document WHERE state = 'written' AND closed_at IS NOT NULL")
        return Int(try rows[0].int("n"))
    }
}
