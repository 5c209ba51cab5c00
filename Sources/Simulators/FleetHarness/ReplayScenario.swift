import AMQP
import JSON
import Postgres

/// Thousands of dead letters of one cause: one group, and one command that sends all of them again, from the command to
/// the last invoice paid. Memory of the handler, from before the letters to after the replay, must stay flat.
struct ReplayScenario {
    let options: FleetOptions
    let letters: Int

    private static let batch = 500
    private static let account = "230"
    /// The most the handler may grow by while it sends all of them again, however many they are.
    private static let growthMax = 16 * 1_048_576
    /// An alert as soon as the handler looks: one a cause is to be seen, not the patience of a real fleet.
    private static let alerting = ["TILLBRIDGE_ALERTS_INTERVAL": "1s", "TILLBRIDGE_ALERTS_GROUP_AFTER": "1s"]

    func run(into figures: inout Figures) async throws {
        let fleet = try await Fleet(options)
        do {
            let watch = try await Watch(fleet)
            let handler = try await fleet.startWorker(
                "dead-letter-handler", log: "dead-letter-handler", environment: Self.alerting)
            try await fleet.startWorkers(["mapper", "writer", "writer"])
            try await fleet.waitUntilReady()
            let empty = handler.residentBytes ?? 0
            try await archive(fleet, "archiveAccounts")
            try await publish(fleet)
            try await wait("the letters") { try await watch.counts().dead == letters }
            let alerts = "SELECT count(*) AS n FROM \(fleet.schema).alert WHERE kind = 'dead_letter_group'"
            try await wait("the alert") { try await count(fleet, alerts) > 0 }
            // Before the replay, which sends one group: else of many groups only the wait for it would tell.
            try await proveOne(fleet, alerts)
            try await archive(fleet, "activateAccounts")
            let before = handler.residentBytes ?? 0
            let start = ContinuousClock.now
            let command = try await fleet.command(["dead-letters", "replay", "--group", "1", "--by", "bench"])
            guard command.status == 0 else { throw HarnessError("the replay: \(command.output)") }
            var most = before
            let open = "SELECT count(*) AS n FROM \(fleet.schema).dead_letter WHERE state <> 'resolved'"
            try await wait("the replay") {
                most = max(most, handler.residentBytes ?? 0)
                return try await count(fleet, open) == 0
            }
            let seconds = DrainScenario.seconds(.now - start)
            try await prove(fleet, watch)
            try await proveOne(fleet, alerts)
            guard most - before <= Self.growthMax else {
                throw HarnessError("the handler grew by \(most - before) bytes, more than \(Self.growthMax)")
            }
            figures.add(
                "replay.per_second", Double(letters) / seconds, "letters/s, from the command to paid invoices",
                .atLeast(500))
            figures.add("replay.handler_rss_mb", Double(most) / 1_048_576, "MB, the most while replaying")
            figures.add("replay.handler_rss_empty_mb", Double(empty) / 1_048_576, "MB, before the first letter")
            figures.add("replay.handler_rss_before_mb", Double(before) / 1_048_576, "MB, with all letters on the desk")
            figures.add("replay.handler_growth_mb", Double(most - before) / 1_048_576, "MB more than before the replay")
            await watch.close()
        } catch {
            _ = await fleet.stop()
            throw error
        }
        let disorderly = await fleet.stop()
        guard disorderly.isEmpty else { throw HarnessError(disorderly.joined(separator: "; ")) }
    }

    /// One group and one alert, however many letters.
    private func proveOne(_ fleet: Fleet, _ alerts: String) async throws {
        let groups = try await count(fleet, "SELECT count(*) AS n FROM \(fleet.schema).dead_letter_group")
        let told = try await count(fleet, alerts)
        guard groups == 1, told == 1 else {
            throw HarnessError("letters of one cause are \(groups) groups and \(told) alerts, not one of each")
        }
    }

    /// Every order one invoice, paid.
    private func prove(_ fleet: Fleet, _ watch: Watch) async throws {
        let ledger = try await fleet.xero.get("/_control/ledger?summary=1")
        var written = 0
        var unpaid = 0
        for books in ledger["organisations"]?.elements ?? [] {
            written += Int(books["invoices"]?["count"]?.integer ?? 0)
            unpaid += Int(books["invoices"]?["statuses"]?["AUTHORISED"]?.integer ?? 0)
        }
        guard written == letters, unpaid == 0 else {
            throw HarnessError("\(written) invoices of \(letters) letters, \(unpaid) unpaid")
        }
    }

    private func archive(_ fleet: Fleet, _ what: String) async throws {
        let tenant = fleet.plan.organisations[0].tenant
        try await fleet.xero.post(
            "/_control/organisations", "{\"tenantId\":\"\(tenant)\",\"\(what)\":[\"\(Self.account)\"]}")
    }

    private func publish(_ fleet: Fleet) async throws {
        let connection = try await AMQPConnection.open(
            endpoint: AMQPEndpoint(url: options.rabbitMQ), name: "tillbridge-harness")
        for start in stride(from: 0, to: letters, by: Self.batch) {
            let outcomes = await connection.publish(
                (start..<min(start + Self.batch, letters)).map { message(7_000_000 + $0, fleet) })
            for case .failed(let error) in outcomes { throw error }
        }
        await connection.close()
    }

    private func message(_ id: Int, _ fleet: Fleet) -> AMQPMessage {
        let body = """
            {"id":\(id),"company_id":162,"site_id":923,"register_id":9091,"status":"COMPLETE","sale_number":"B-\(id)",\
            "total":12.30,"total_tax":1.12,"paid":12.30,"created_at":"2026-11-20T10:00:00+11:00",\
            "lines":[{"number":1,"product":{"id":1,"name":"Pie"},"quantity":1,"unit_price":11.1818,"unit_tax":1.1182,\
            "line_total_ex_tax":11.18,"line_total_tax":1.12,"taxes":[{"id":1,"name":"GST","rate":0.1}]}],\
            "payments":[{"id":1,"method":{"id":2,"name":"Card"},"amount":12.30,\
            "created_at":"2026-11-20T10:00:05+11:00"}]}
            """
        return AMQPMessage(
            exchange: "\(fleet.run).work", routingKey: "\(fleet.run).map",
            headers: [
                "tb-version": .int(1), "tb-attempt": .int(0), "tb-first-seen": .int(1_760_000_000_000_000),
                "tb-company": .string(fleet.plan.companies[0]), "tb-kind": .string("order"),
                "tb-id": .string(String(id)),
            ], contentType: "application/json", messageID: "order/\(id)", body: Array(body.utf8))
    }

    private func count(_ fleet: Fleet, _ sql: String) async throws -> Int {
        let pool = PostgresPool(address: try PostgresAddress(url: options.database), size: 1, name: "tb-harness")
        let rows = try await pool.withSession { try $0.query(sql) }
        await pool.close()
        return Int(try rows.first?.int("n") ?? 0)
    }

    private func wait(_ what: String, until condition: () async throws -> Bool) async throws {
        let start = ContinuousClock.now
        while try await !condition() {
            guard ContinuousClock.now - start < .seconds(300) else { throw HarnessError("waited in vain for \(what)") }
            try await Task.sleep(for: .milliseconds(200))
        }
    }
}
