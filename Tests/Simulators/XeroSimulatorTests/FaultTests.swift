import JSON
import NIOHTTP1
import Testing
import XeroSimulator

@Suite(.timeLimit(.minutes(5))) struct FaultTests {
    @Test("the first answer is replayed under its key, and the effect happens once")
    func replay() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            let body = "{\"Invoices\":[\(World.element("A", contact: contact))]}"
            let key = ["Idempotency-Key": "k-1"]
            let first = try await world.call(.PUT, "Invoices", body, headers: key)
            let second = try await world.call(.PUT, "Invoices", body, headers: key)
            #expect(second.text == first.text)
            let other = try await world.call(
                .PUT, "Invoices", body.split(separator: "11.00").joined(separator: "12.00"), headers: key)
            #expect(other.status == 400)
            #expect(try await world.ledger()["invoices"]?.elements.count == 1)
            #expect(try await world.counters()["idempotentReplays"]?.integer == 1)
            world.time.advance(seconds: 360)
            let late = try await world.call(.PUT, "Invoices", body, headers: key)
            #expect(late.status == 400)
            #expect(try late.messages("Elements") == ["Invoice # must be unique."])
        }
    }

    @Test("a held call is carried out and answered once the faults are taken away, and not before")
    func held() async throws {
        try await withSimulator(limits: .real) { world in
            let hold = #"{"match":{"path":"/api.xro/2.0/Contacts"},"action":{"hold":true}}"#
            _ = try await world.control(.POST, "faults", hold)
            func names() async throws -> [String] {
                try await (world.ledger()["contacts"]?.elements ?? []).compactMap { $0["Name"]?.string }
            }
            async let answer = world.call(.PUT, "Contacts", #"{"Name":"Held"}"#)
            while try await world.counters()["inFlight"]?.integer != 1 { await Task.yield() }
            #expect(try await !names().contains("Held"))
            _ = try await world.control(.DELETE, "faults")
            #expect(try await answer.status == 200)
            #expect(try await names().contains("Held"))
        }
    }

    @Test("errors are stored under the key too, and keys are kept apart by organisation and endpoint")
    func storedErrors() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            let key = ["Idempotency-Key": "k-1"]
            let element = World.element("A", contact: contact, lines: World.line("1", "1", account: "9"))
            let bad = "{\"Invoices\":[\(element)]}"
            let first = try await world.call(.PUT, "Invoices", bad, headers: key)
            #expect(first.status == 400)
            #expect(try await world.call(.PUT, "Invoices", bad, headers: key).text == first.text)
            #expect(try await world.call(.PUT, "Contacts", #"{"Name":"Q"}"#, headers: key).status == 200)
            var other = world
            other.tenantHeader = "5d1ac0de-0000-4000-8000-000000000002"
            #expect(try await other.call(.PUT, "Contacts", #"{"Name":"Other"}"#, headers: key).status == 200)
            let long = ["Idempotency-Key": String(repeating: "k", count: 129)]
            #expect(try await world.call(.PUT, "Contacts", #"{"Name":"Z"}"#, headers: long).status == 400)
        }
    }

    @Test("a 400 or 500 without effect is stored under its key like any answer; a limit or an outage is not")
    func storedWithoutEffect() async throws {
        try await withSimulator { world in
            for (status, isStored) in [(400, true), (500, true), (429, false), (503, false)] {
                _ = try await world.control(.DELETE, "faults")
                _ = try await world.control(.POST, "faults", #"{"action":{"status":\#(status)},"count":1}"#)
                let key = ["Idempotency-Key": "k-\(status)"]
                let body = #"{"Name":"Of \#(status)"}"#
                #expect(try await world.call(.PUT, "Contacts", body, headers: key).status == status)
                #expect(try await world.call(.PUT, "Contacts", body, headers: key).status == (isStored ? status : 200))
                let other = ["Idempotency-Key": "other-\(status)"]
                let fresh = try await world.call(.PUT, "Contacts", #"{"Name":"New \#(status)"}"#, headers: other)
                #expect(fresh.status == 200)
            }
        }
    }

    @Test("a fault may hit only what has a text in its body")
    func textual() async throws {
        try await withSimulator { world in
            _ = try await world.control(
                .POST, "faults", #"{"match":{"method":"PUT","text":"Poison"},"action":{"status":500}}"#)
            #expect(try await world.call(.PUT, "Contacts", #"{"Name":"Pie"}"#).status == 200)
            #expect(try await world.call(.PUT, "Contacts", #"{"Name":"Poison"}"#).status == 500)
        }
    }

    @Test("after a connection dropped behind the commit, the same key gives the stored answer")
    func dropAfter() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            let body = "{\"Invoices\":[\(World.element("A", contact: contact))]}"
            let key = ["Idempotency-Key": "k-1"]
            _ = try await world.control(
                .POST, "faults",
                #"{"match":{"method":"PUT","path":"/api.xro/2.0/Invoices"},"action":{"drop":"after"},"count":1}"#)
            await Self.expectDrop(world, .PUT, "Invoices", body, key)
            #expect(try await world.ledger()["invoices"]?.elements.count == 1)
            let reply = try await world.call(.PUT, "Invoices", body, headers: key)
            #expect(reply.status == 200)
            #expect(try reply.only("Invoices")["InvoiceNumber"]?.string == "A")
            #expect(try await world.ledger()["invoices"]?.elements.count == 1)
        }
    }

    @Test("a connection dropped before the commit leaves no trace in the books")
    func dropBefore() async throws {
        try await withSimulator { world in
            _ = try await world.control(.POST, "faults", #"{"action":{"drop":"before"},"count":1}"#)
            await Self.expectDrop(world, .PUT, "Contacts", #"{"Name":"A"}"#, ["Idempotency-Key": "k-1"])
            #expect(try await world.ledger()["contacts"]?.elements.isEmpty == true)
            let again = try await world.call(
                .PUT, "Contacts", #"{"Name":"A"}"#, headers: ["Idempotency-Key": "k-1"])
            #expect(again.status == 200)
        }
    }

    /// Sends one call over a connection of its own and expects it to break without an answer.
    static func expectDrop(
        _ world: World, _ method: HTTPMethod, _ path: String, _ body: String, _ headers: [String: String]
    ) async {
        await #expect(throws: (any Error).self) {
            _ = try await world.call(method, path, body, headers: headers)
        }
    }

    @Test("a fault hits its method, path and organisation, as often as it says")
    func matching() async throws {
        try await withSimulator { world in
            let fault = """
                {"match":{"method":"GET","path":"/api.xro/2.0/Acc","tenant":"\(World.tenant)"},\
                "action":{"status":503,"body":"The Organisation is offline","headers":{"Retry-After":"7"}},"count":2}
                """
            _ = try await world.control(.POST, "faults", fault)
            var other = world
            other.tenantHeader = "5d1ac0de-0000-4000-8000-000000000002"
            #expect(try await other.call(.GET, "Accounts").status == 200)
            #expect(try await world.call(.GET, "Organisation").status == 200)
            let hit = try await world.call(.GET, "Accounts")
            #expect(hit.status == 503)
            #expect(hit.text == "The Organisation is offline")
            #expect(try hit.header("Retry-After") == "7")
            #expect(try await world.call(.GET, "Accounts").status == 503)
            #expect(try await world.call(.GET, "Accounts").status == 200)
        }
    }

    @Test("a fault with a share hits that part of the calls, the same ones for the same seed")
    func share() async throws {
        try await withSimulator { world in
            func run() async throws -> [Int] {
                _ = try await world.control(
                    .POST, "faults", #"{"action":{"status":500},"share":0.3,"seed":42}"#)
                var statuses: [Int] = []
                for _ in 0..<200 { statuses.append(try await world.call(.GET, "Currencies").status) }
                _ = try await world.control(.DELETE, "faults")
                return statuses
            }
            let first = try await run()
            #expect((35...85).contains(first.count { $0 == 500 }))
            #expect(try await run() == first)
            #expect(try await world.call(.GET, "Currencies").status == 200)
        }
    }

    @Test("half a batch is kept behind a 500, whose shape says nothing about it")
    func halfBatch() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            _ = try await world.control(
                .POST, "faults", #"{"match":{"path":"/api.xro/2.0/Invoices"},"action":{"halfBatch":true},"count":1}"#)
            let all = ["A", "B", "C"].map { World.element($0, contact: contact) }.joined(separator: ",")
            let reply = try await world.call(.PUT, "Invoices?summarizeErrors=false", "{\"Invoices\":[\(all)]}")
            #expect(reply.status == 500)
            #expect(try reply.json["Title"]?.string == "An error occurred")
            let kept = try await world.ledger()["invoices"]?.elements.map { $0["InvoiceNumber"]?.string }
            #expect(kept == ["A", "B"])
        }
    }

    @Test("a call may also fail with every other element of its batch kept")
    func everyOther() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            let fault = #"{"match":{"path":"/api.xro/2.0/Invoices"},"action":{"halfBatch":"everyOther"},"count":1}"#
            _ = try await world.control(.POST, "faults", fault)
            let all = ["A", "B", "C", "D"].map { World.element($0, contact: contact) }.joined(separator: ",")
            let reply = try await world.call(.PUT, "Invoices?summarizeErrors=false", "{\"Invoices\":[\(all)]}")
            #expect(reply.status == 500)
            let kept = try await world.ledger()["invoices"]?.elements.map { $0["InvoiceNumber"]?.string }
            #expect(kept == ["A", "C"])
            let unknown = try await world.control(.POST, "faults", #"{"action":{"halfBatch":"some"}}"#)
            #expect(unknown.status == 400)
        }
    }

    @Test("a status with commit answers wrongly after doing the work, one without does nothing")
    func commit() async throws {
        try await withSimulator { world in
            _ = try await world.control(.POST, "faults", #"{"action":{"status":502,"commit":true},"count":1}"#)
            #expect(try await world.call(.PUT, "Contacts", #"{"Name":"A"}"#).status == 502)
            _ = try await world.control(.POST, "faults", #"{"action":{"status":502},"count":1}"#)
            #expect(try await world.call(.PUT, "Contacts", #"{"Name":"B"}"#).status == 502)
            let names = try await world.ledger()["contacts"]?.elements.map { $0["Name"]?.string }
            #expect(names == ["A"])
        }
    }

    @Test("the token endpoint can fail too")
    func token() async throws {
        try await withSimulator { world in
            _ = try await world.control(
                .POST, "faults", #"{"match":{"path":"/connect/token"},"action":{"status":500},"count":1}"#)
            let form = "grant_type=client_credentials&client_id=a&client_secret=b"
            #expect(try await world.grant(form).status == 500)
            #expect(try await world.grant(form).status == 200)
        }
    }

    @Test("stored answers are bounded: the oldest goes first and is counted")
    func bound() async throws {
        try await withSimulator(idempotencyMegabytes: 0) { world in
            for name in ["A", "B"] {
                _ = try await world.call(
                    .PUT, "Contacts", #"{"Name":"\#(name)"}"#, headers: ["Idempotency-Key": name])
            }
            #expect(try await world.counters()["idempotencyEvicted"]?.integer == 1)
        }
    }

    @Test("a reset empties the books, the counters and the faults")
    func reset() async throws {
        try await withSimulator { world in
            _ = try await world.contact()
            _ = try await world.control(.POST, "faults", #"{"action":{"status":500}}"#)
            _ = try await world.control(.POST, "reset")
            let grant = try await world.grant("grant_type=client_credentials&client_id=a&client_secret=b")
            var fresh = world
            fresh.token = try #require(try grant.json["access_token"]?.string)
            #expect(try await fresh.call(.GET, "Contacts").json["Contacts"]?.elements.isEmpty == true)
            #expect(try await fresh.counters()["calls"]?["GET /Contacts"]?.integer == 1)
            #expect(try await fresh.counters()["calls"]?["PUT /Contacts"] == nil)
            let summary = try await fresh.control(.GET, "ledger?summary=1").only0
            #expect(summary["invoices"]?["count"]?.integer == 0)
        }
    }
}

extension Reply {
    /// The first organisation of a control answer.
    fileprivate var only0: JSON {
        get throws { try #require(try json["organisations"]?.elements.first) }
    }
}
