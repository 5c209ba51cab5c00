import JSON
import Testing

@testable import KountaSimulator

@Suite(.timeLimit(.minutes(1))) struct RecordTests {
    @Test("every list under a company answers, and its records by id too, with venue or without")
    func lists() async throws {
        let desk = try await Desk()
        for name in ["sites", "registers", "staff", "taxes", "payment_methods", "products", "customers"] {
            let rows = try await desk.rows("/v1/companies/163/\(name).json").rows
            let id = try #require(rows.first?["id"]?.integer, "\(name)")
            #expect(try await desk.get("/v1/companies/163/\(name)/\(id).json")["id"]?.integer == id)
            #expect(await desk.call("GET", "/v1/companies/163/\(name)/1234567.json").status == 404)
        }
        #expect(try await desk.rows("/v1/companies/162/sites/985/registers.json").rows.count == 2)
        let company = try await desk.get("/v1/companies/162.json")
        #expect(company["timezone"]?["name"]?.string == "Australia/Sydney" && company["currency"]?.string == "AUD")
        let products = try await desk.rows("/v1/companies/162/products.json").rows
        let free = products.filter { $0["taxes"]?.elements.isEmpty == true }
        #expect(!free.isEmpty)
    }

    @Test("a customer's times are always now; the e-mail look-up redirects, the reference look-up gives an array")
    func customers() async throws {
        let desk = try await Desk()
        let path = "/v1/companies/162/customers/162003.json"
        let before = try await desk.get(path)
        desk.clock.advance(seconds: 5)
        let after = try await desk.get(path)
        #expect(before["updated_at"]?.string != after["updated_at"]?.string)
        #expect(before["created_at"]?.string != after["created_at"]?.string)
        let email = try #require(before["primary_email_address"]?.string)
        let found = await desk.call("GET", "/v1/companies/162/customers.json?email=\(email)")
        #expect(found.status == 302 && found["location"] == "http://till.test" + path)
        #expect(await desk.call("GET", "/v1/companies/162/customers.json?email=no@one").status == 404)
        #expect(await desk.call("PUT", path, body: #"{"reference_id":"7f"}"#).status == 200)
        let byReference = try await desk.get("/v1/companies/162/customers.json?reference_id=7f")
        #expect(byReference.elements.map { $0["id"]?.integer } == [162_003])
        let created = await desk.call("POST", "/v1/companies/162/customers.json", body: #"{"first_name":"Ada"}"#)
        let location = try #require(created["location"]).dropFirst("http://till.test".count)
        #expect(created.status == 201 && created.body.isEmpty)
        #expect(try await desk.get(String(location))["first_name"]?.string == "Ada")
    }

    @Test("tags stand in a customer's own record, and neither in the list of customers nor in any order")
    func tags() async throws {
        let desk = try await Desk { $0.ordersPerSite = 40 }
        let path = "/v1/companies/162/customers/162003.json"
        #expect(await desk.call("PUT", path, body: #"{"tags":["Staff","Gold"]}"#).status == 200)
        #expect(try await desk.get(path)["tags"]?.elements.compactMap(\.string) == ["Staff", "Gold"])
        let rows = try await desk.get("/v1/companies/162/customers.json").elements
        #expect(!rows.isEmpty && rows.allSatisfy { $0["tags"] == nil })
        var named = 0
        for row in try await desk.get("/v1/companies/162/orders/complete.json").elements {
            let id = try #require(row["id"]?.integer)
            guard let customer = try await desk.get("/v1/companies/162/orders/\(id).json")["customer"] else { continue }
            named += 1
            #expect(Set(customer.members.map(\.key)).isSubset(of: ["id", "first_name", "last_name", "email", "image"]))
        }
        #expect(named > 0)
    }

    @Test("held takings are there once their till was counted")
    func heldTakings() async throws {
        let desk = try await Desk {
            $0.ordersPerSite = 40
            $0.holdsTakings = true
        }
        let path = "/v1/companies/162/sites/923/reconciliations.json"
        #expect(try await desk.rows(path).rows.isEmpty)
        let count = #"{"site":923,"day":"2026-11-21","method":"Cash","difference_cents":0}"#
        #expect(await desk.call("POST", "/_control/takings", body: count).status == 204)
        #expect(try await desk.rows(path).rows.count == 1)
    }

    @Test("a count that somebody wrote is listed as it is, for its venue and from its day on; written anew, once")
    func writtenCounts() async throws {
        let desk = try await Desk { $0.holdsTakings = true }
        func write(_ time: String) async throws {
            let record = #"{"id":7,"reconciliation_level":"register","register":{"id":9092},"site":{"id":923},"#
                + #""created_at":"\#(time)","reconciliations":[]}"#
            #expect(await desk.call("POST", "/_control/reconciliations", body: record).status == 204)
        }
        try await write("2026-11-19T23:30:00+11:00")
        try await write("2026-11-20T23:30:00+11:00")
        func ids(_ path: String) async throws -> [Int64?] {
            try await desk.rows("/v1/companies/162/sites/\(path).json").rows.map { $0["id"]?.integer }
        }
        #expect(try await ids("923/reconciliations") == [7])
        #expect(try await ids("923/reconciliations/since/2026-11-20") == [7])
        #expect(try await ids("923/reconciliations/since/2026-11-21").isEmpty)
        #expect(try await ids("985/reconciliations").isEmpty)
        let row = try #require(try await desk.rows("/v1/companies/162/sites/923/reconciliations.json").rows.first)
        #expect(row["register"]?["id"]?.integer == 9092)
        #expect(await desk.call("POST", "/_control/reconciliations", body: #"{"id":7}"#).status == 400)
    }

    @Test("the takings of finished days add up to what was paid for their orders")
    func reconciliations() async throws {
        let desk = try await Desk { $0.ordersPerSite = 12 }
        let days = try await desk.rows("/v1/companies/162/sites/923/reconciliations.json").rows
        #expect(days.count > 1)
        let recorded = try days.flatMap { $0["reconciliations"]?.elements ?? [] }
            .reduce(0) { try $0 + ($1["takings"]?["recorded"]?.scaled ?? 0) }
        var amounts = 0
        for row in try await desk.rows("/v1/companies/162/sites/923/orders/complete.json").rows {
            let order = try await desk.get("/v1/companies/162/orders/\(row["id"]?.integer ?? 0).json")
            amounts += try (order["payments"]?.elements ?? []).reduce(0) { try $0 + ($1["amount"]?.scaled ?? 0) }
        }
        #expect(recorded == amounts && amounts > 0)
        #expect(try await desk.rows("/v1/companies/162/reconciliations/since/2099-01-01.json").rows.isEmpty)
    }

    @Test("Sydney's clock changes on the first Sundays of April and October")
    func sydney() {
        func text(_ unix: Int64) -> String {
            var printer = TillPrinter(capacity: 30)
            printer.time(unix)
            return String(decoding: printer.bytes, as: UTF8.self)
        }
        // 2026-04-05 and 2026-10-04, at 16:00 UTC of the day before.
        let ends = CivilTime(2026, 4, 4, 16).secondsSinceEpoch
        let begins = CivilTime(2026, 10, 3, 16).secondsSinceEpoch
        #expect(text(ends - 1) == "\"2026-04-05T02:59:59+11:00\"")
        #expect(text(ends) == "\"2026-04-05T02:00:00+10:00\"")
        #expect(text(begins - 1) == "\"2026-10-04T01:59:59+10:00\"")
        #expect(text(begins) == "\"2026-10-04T03:00:00+11:00\"")
        #expect(SydneyClock.instant(of: CivilTime(2026, 7, 1, 10)) == CivilTime(2026, 7, 1, 0).secondsSinceEpoch)
        #expect(SydneyClock.parse("2026-11-22T20:00:00+11:00") == ManualClock.start / 1_000)
        #expect(SydneyClock.parse("2026-11-22T09:00:00.123Z") == ManualClock.start / 1_000)
        #expect(SydneyClock.parse("2026-02-30T09:00:00Z") == nil && SydneyClock.parse("soon") == nil)
    }

    @Test("SHA-256 and its HMAC give the published values")
    func sha256() {
        #expect(
            SHA256.hex(SHA256.digest(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        // RFC 4231, cases 2 and 6.
        #expect(
            SHA256.authenticationCode(of: Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        let long = Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)
        #expect(
            SHA256.authenticationCode(of: long, key: [UInt8](repeating: 0xaa, count: 131))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }
}
