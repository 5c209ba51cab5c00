import AMQP
import Foundation
import Glibc
import JSON
import Postgres
import Testing

@testable import FleetHarness

@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(6)))
struct ConnectionTests {
    private func with(
        _ name: String, ordersPerVenue: Int = 0, _ work: (ConnectedFleet) async throws -> Void
    ) async throws {
        let often = ["TILLBRIDGE_ALERTS_INTERVAL": "1s"]
        try await RunningFleet.with(name, ordersPerVenue: ordersPerVenue, environment: often) { running in
            let fleet = try await ConnectedFleet(running)
            try await work(fleet)
            await fleet.close()
        }
    }

    @Test("connected by a person, a fleet carries a service to the cent; no secret is in any output of any process")
    func service() async throws {
        try await with("connected", ordersPerVenue: 10) { fleet in
            let running = fleet.running
            // Workers first: they wait, say what for and which command mends it, and take no message.
            for name in ["poller", "mapper", "writer", "dead-letter-handler"] {
                _ = try await fleet.start(name, log: name)
            }
            try await running.wait("the writer to say what it waits for") {
                try fleet.text("writer").contains("run `tillbridge connect xero` and tick it")
            }
            try await running.wait("the poller to say what it waits for") {
                try fleet.text("poller").contains("run `tillbridge connect kounta lakeside`")
            }
            let before = try await fleet.output(["connections"])
            var tokens: [String] = []
            #expect(before.status == 0 && before.text.contains("organisation harbour: NOT CONNECTED"))

            let xero = try await fleet.connect(["xero"], log: "connect-xero")
            #expect(xero.status == 0 && xero.text.contains("organisation harbour"), "\(xero.text)")
            for (company, id) in [("harbour", "162"), ("lakeside", "163")] {
                let kounta = try await fleet.connect(["kounta", company], log: "connect-\(company)") {
                    $0 + "&company=\(id)"
                }
                #expect(kounta.status == 0 && kounta.text.contains("connected: kounta/\(company)"), "\(kounta.text)")
            }
            tokens += try await fleet.tokens()
            try await running.waitUntilDone()
            let proof = try await running.proof()
            #expect(proof.holds, "\(proof.lines.joined(separator: "\n"))")
            #expect(proof.orders == 50)
            // A renewal too: its pair is as secret as the first.
            try await fleet.changeXero(#""expireTokens":true"#)
            try await fleet.letTokensEnd(in: 1)
            let messages = Messages(run: running.fleet.run)
            try await running.publish([messages.order(id: "66001")])
            try await running.wait("an invoice under new tokens") {
                try await running.invoiceNumbers().contains("HBR-66001")
            }

            let after = try await fleet.output(["connections"])
            #expect(after.text.contains("xero  live") && after.text.contains("kounta/lakeside  live"), "\(after.text)")
            let checked = try await fleet.output(["config"])
            #expect(checked.text.contains("TILLBRIDGE_KEY: keys k1"), "\(checked.text)")
            try await expectNoSecret(fleet, tokens)
        }
    }

    /// Searches everything any process of the run printed, and every metric, for what must not be seen.
    private func expectNoSecret(_ fleet: ConnectedFleet, _ tokens: [String]) async throws {
        let folder = fleet.running.fleet.options.folder
        var secrets = fleet.secrets + tokens
        // The simulated Kounta numbers its tokens.
        secrets += try await fleet.tokens()
        secrets += ["access-162-", "access-163-", "refresh-162-", "refresh-163-"]
        var searched = ""
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".log") {
            if name.hasPrefix("keys-new") { continue }
            let text = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
            searched += text
            for line in text.split(separator: "\n") where line.contains("health at") {
                guard let port = line.split(separator: ":").last.map({ $0.prefix { $0.isNumber } }) else { continue }
                let client = SimulatorClient(base: "http://127.0.0.1:\(port)")
                searched += await client.text("/metrics") ?? ""
                searched += await client.text("/ready") ?? ""
                await client.close()
            }
        }
        #expect(searched.contains("tillbridge_connection_usable"), "the metrics were not read")
        #expect(searched.contains("TILLBRIDGE_XERO_CLIENT_ID: xero-app / ********"))
        #expect(Set(secrets).count >= 3 + 4 + 8)
        for secret in secrets { #expect(!searched.contains(secret), "\(secret) was printed") }
        for word in ["Bearer ", "access_token", "refresh_token=", "code_verifier="] {
            #expect(!searched.contains(word), "\(word) was printed")
        }
    }

    @Test("eight writers that find the tokens ended make exactly one call, and again one when Xero refuses them all")
    func eightWriters() async throws {
        try await with("eight") { fleet in
            let running = fleet.running
            #expect(try await fleet.connect(["xero"], log: "connect-xero").status == 0)
            try await fleet.letTokensEnd(in: 1)
            // Slow enough that all eight come while it is under way.
            try await running.fleet.xero.post(
                "/_control/faults", #"{"match":{"path":"/connect/token"},"action":{"delayMs":6000}}"#)
            for index in 1...8 { _ = try await fleet.start("writer", log: "writer-\(index)") }
            func count(_ words: String) throws -> Int {
                try (1...8).count { try fleet.text("writer-\($0)").contains(words) }
            }
            try await running.wait("all eight to have the new pair") {
                try count("tokens renewed") + count("tokens taken over") == 8
            }
            #expect(try count("tokens renewed") == 1)
            #expect(try await fleet.tokenCalls("refresh_token") == 1)

            // Now every call of every writer is refused at once.
            _ = try await fleet.start("mapper", log: "mapper")
            _ = try await fleet.start("dead-letter-handler", log: "dead-letter-handler")
            try await running.fleet.waitUntilReady()
            try await fleet.changeXero(#""expireTokens":true"#)
            let messages = Messages(run: running.fleet.run)
            try await running.publish((1...400).map { messages.order(id: "77\($0)") })
            try await running.wait("every invoice", within: .seconds(120)) {
                try await running.invoiceNumbers().count == 400
            }
            #expect(try await fleet.tokenCalls("refresh_token") == 2)
        }
    }

    @Test("a writer killed while it renews takes nothing with it: the next sends the same refresh token again")
    func killedRefresher() async throws {
        try await with("refresher") { fleet in
            let running = fleet.running
            #expect(try await fleet.connect(["xero"], log: "connect-xero").status == 0)
            try await fleet.letTokensEnd(in: 1)
            try await running.fleet.xero.post(
                "/_control/faults",
                #"{"match":{"path":"/connect/token"},"action":{"hold":true,"drop":"after"},"count":1}"#)
            let first = try await fleet.start("writer", log: "writer-1")
            try await running.wait("the renewal to be under way") {
                try await running.rows(
                    "SELECT 1 AS one FROM \(running.fleet.schema).credential WHERE sent_at IS NOT NULL").count == 1
            }
            await running.fleet.children.remove(first)
            first.signal(SIGKILL)
            _ = await first.waitForExit()
            try await running.fleet.xero.delete("/_control/faults")
            try await running.wait("Xero to have renewed for nobody") {
                try await fleet.tokenCalls("refresh_token") == 1
            }
            _ = try await fleet.start("writer", log: "writer-2")
            try await running.wait("the second writer's renewal") {
                try fleet.text("writer-2").contains("tokens renewed")
            }
            #expect(try await fleet.tokenCalls("refresh_token") == 2)
            #expect(try !fleet.text("writer-2").contains("DEAD"))
        }
    }

    @Test("a writer told to end while it renews stores the pair first: a long pause afterwards costs nothing")
    func drainedRefresher() async throws {
        try await with("drained") { fleet in
            let running = fleet.running
            #expect(try await fleet.connect(["xero"], log: "connect-xero").status == 0)
            try await fleet.letTokensEnd(in: 1)
            try await running.fleet.xero.post(
                "/_control/faults", #"{"match":{"path":"/connect/token"},"action":{"hold":true},"count":1}"#)
            let writer = try await fleet.start("writer", log: "writer")
            try await running.wait("the renewal to be under way") {
                try await running.rows(
                    "SELECT 1 AS one FROM \(running.fleet.schema).credential WHERE sent_at IS NOT NULL").count == 1
            }
            await running.fleet.children.remove(writer)
            // Told before Xero answers.
            writer.signal(SIGTERM)
            try await running.fleet.xero.delete("/_control/faults")
            #expect(await writer.stop() == 0)
            let rows = try await running.rows(
                "SELECT generation FROM \(running.fleet.schema).credential WHERE sent_at IS NULL")
            #expect(try rows.map { try $0.int("generation") } == [2])
            #expect(try await fleet.tokenCalls("refresh_token") == 1)
        }
    }

    @Test("withdrawn access is told once, loudly, with the command; a person connects again and what waited is booked")
    func withdrawn() async throws {
        try await with("withdrawn") { fleet in
            let running = fleet.running
            #expect(try await fleet.connect(["xero"], log: "connect-xero").status == 0)
            for name in ["mapper", "writer", "dead-letter-handler"] { _ = try await fleet.start(name, log: name) }
            try await running.fleet.waitUntilReady()
            try await fleet.changeXero(#""revokeTokens":true"#)
            try await fleet.letTokensEnd(in: 1)
            let messages = Messages(run: running.fleet.run)
            try await running.publish((1...20).map { messages.order(id: "88\($0)") })
            try await running.wait("the alarm") {
                try fleet.text("writer").contains("the connection is DEAD, run `tillbridge connect xero`")
            }
            #expect(try fleet.text("writer").split(separator: "\n").count { $0.contains("is DEAD") } == 1)
            let listed = try await fleet.output(["connections"])
            #expect(listed.text.contains("DEAD since") && listed.text.contains("run `tillbridge connect xero`"))
            #expect(try await fleet.connect(["xero"], log: "connect-again").status == 0)
            try await running.wait("every invoice", within: .seconds(150)) {
                try await running.invoiceNumbers().count == 20
            }
            #expect(try await running.watch.counts().dead == 0)
        }
    }

    @Test("one organisation disconnected by us, one by Xero: each waits alone, is told with its command, goes on")
    func shutOut() async throws {
        try await with("shut") { fleet in
            let running = fleet.running
            #expect(try await fleet.connect(["xero"], log: "connect-xero").status == 0)
            for name in ["mapper", "writer", "dead-letter-handler"] { _ = try await fleet.start(name, log: name) }
            try await running.fleet.waitUntilReady()
            let messages = Messages(run: running.fleet.run)
            func lakeside(_ id: String) -> AMQPMessage {
                messages.order(id: id, headers: ["tb-company": .string("lakeside")]) {
                    $0.replacing("\"company_id\":162,\"site_id\":923", with: "\"company_id\":163,\"site_id\":3101")
                }
            }
            // By us: one organisation alone. The other's work goes on.
            let nobody = try await fleet.output(["disconnect", "xero", "--organisation", "nobody"])
            #expect(nobody.status != 0 && nobody.text.contains("covers no organisation `nobody`"), "\(nobody.text)")
            let ended = try await fleet.output(["disconnect", "xero", "--organisation", "lakeside"])
            #expect(ended.status == 0 && ended.text.contains("stays for its other organisations"), "\(ended.text)")
            let listed = try await fleet.output(["connections"]).text
            #expect(listed.contains("organisation lakeside: NOT CONNECTED, run `tillbridge connect xero`"), "\(listed)")
            #expect(!listed.contains("organisation harbour: NOT CONNECTED"))
            try await running.publish([lakeside("3101"), messages.order(id: "3001")])
            try await running.wait("Harbour's invoice") { try await running.invoiceNumbers() == ["HBR-3001"] }
            // By Xero: 403. A person is told, by the log where no channel is configured.
            try await fleet.changeXero(#""disconnected":true"#)
            try await running.publish([messages.order(id: "3002")])
            try await running.wait("the writer to say so") {
                try fleet.text("writer").contains("Xero no longer lets us into this organisation (403")
            }
            try await running.wait("the alert") {
                try fleet.text("dead-letter-handler").contains(
                    "alert (opened): Xero no longer lets us into harbour, harbour.")
            }
            #expect(try fleet.text("dead-letter-handler").contains("Command: tillbridge connect xero --port 8734"))
            let closed = try await fleet.output(["connections"]).text
            #expect(closed.contains("CLOSED: 403"), "\(closed)")
            let alerts = try await fleet.output(["alerts", "list", "--json"])
            #expect(alerts.text.contains(#""key":"connection_dead:organisation/harbour""#), "\(alerts.text)")
            #expect(try await running.watch.counts().dead == 0)
            // A person ticks both; nothing was lost and nothing is doubled.
            for tenant in running.fleet.plan.organisations.map(\.tenant) {
                try await running.fleet.xero.post(
                    "/_control/organisations", #"{"tenantId":"\#(tenant)","disconnected":false}"#)
            }
            #expect(try await fleet.connect(["xero"], log: "connect-again").status == 0)
            try await running.wait("every invoice", within: .seconds(240)) {
                try await running.invoiceNumbers().sorted() == ["HBR-3001", "HBR-3002", "LAKE-3101"]
            }
            #expect(try await running.watch.counts().dead == 0)
        }
    }

    @Test("keys rotate under a running fleet, a connection ends at Xero too, and what goes wrong changes nothing")
    func operator_() async throws {
        try await with("operator") { fleet in
            let running = fleet.running
            #expect(try await fleet.connect(["xero"], log: "connect-xero").status == 0)
            let no = try await fleet.connect(["kounta", "harbour"], log: "no") { $0 + "&deny=1" }
            #expect(no.status != 0 && no.text.contains("access_denied") && no.text.contains("nothing was changed"))
            let other = try await fleet.connect(["kounta", "harbour"], log: "other") { $0 + "&company=163" }
            #expect(other.status != 0 && other.text.contains("company 163") && other.text.contains("nothing was kept"))
            let unknown = try await fleet.output(["connect", "kounta", "nobody"])
            #expect(unknown.status != 0 && unknown.text.contains("harbour, lakeside"))
            #expect(try await fleet.output(["connections"]).text.contains("company harbour: NOT CONNECTED"))

            let both = try await fleet.withNewKey("k2")
            let rotated = try await both.output(["keys", "rotate"])
            #expect(rotated.status == 0 && rotated.text.contains("sealed with k2: 1 anew, 0 before"), "\(rotated.text)")
            #expect(try await both.output(["keys", "rotate"]).text.contains("0 anew, 1 before"))
            #expect(try await both.output(["keys", "list"]).text.contains("k1  0 sealed with it, only opens"))
            // Who lacks the new key says so and waits.
            _ = try await fleet.start("writer", log: "writer-old-key")
            try await running.wait("the writer with the old key to say what it lacks") {
                try fleet.text("writer-old-key").contains("`k2`, which TILLBRIDGE_KEY lacks")
            }

            let gone = try await both.output(["disconnect", "xero"])
            #expect(gone.status == 0, "\(gone.text)")
            #expect(try await both.output(["connections"]).text.contains("organisation harbour: NOT CONNECTED"))
            #expect(try await both.output(["disconnect", "xero"]).status != 0)
            let wrong = try await fleet.output(["connections"], environment: ["TILLBRIDGE_KEY": "k1:c2VjcmV0"])
            #expect(wrong.status != 0 && wrong.text.contains("32 bytes") && !wrong.text.contains("c2VjcmV0"))
        }
    }
}
