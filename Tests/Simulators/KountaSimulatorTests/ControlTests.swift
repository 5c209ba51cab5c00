import JSON
import Testing

@testable import KountaSimulator

@Suite(.timeLimit(.minutes(1))) struct ControlTests {
    static let order = """
        {"id":6000000001,"company_id":162,"site_id":923,"register_id":9091,"status":"COMPLETE","total":12.50,\
        "total_tax":1.14,"paid":14.5,"tips":2,"created_at":"2026-11-22T10:00:00+11:00",\
        "lines":[{"number":1,"quantity":1,"unit_price":11.3636,"unit_tax":1.1364}],\
        "payments":[{"id":1,"method":{"id":2,"name":"Credit Card"},"amount":12.50,"tip":2}]}
        """

    private func site(_ desk: Desk, _ id: Int64) async throws -> JSON? {
        let companies = try await desk.get("/_control/ledger")["companies"]?.elements ?? []
        return companies.flatMap { $0["sites"]?.elements ?? [] }.first { $0["id"]?.integer == id }
    }

    @Test("an injected order is served as it is, listed, and in the ledger with its tips")
    func injected() async throws {
        let desk = try await Desk()
        #expect(await desk.call("POST", "/_control/orders", body: Self.order).status == 201)
        let answer = await desk.call("GET", "/v1/companies/162/orders/6000000001.json")
        #expect(String(decoding: answer.body, as: UTF8.self) == Self.order)
        #expect(try await desk.rows("/v1/companies/162/sites/923/orders/complete.json").rows.count == 1)
        let sums = try await site(desk, 923)
        #expect(sums?["orders"]?.integer == 1)
        #expect(sums?["total"]?.numberText == "12.50" && sums?["due"]?.numberText == "14.50")
        let orders = try await desk.get("/_control/ledger?orders=1")["orders"]?.elements ?? []
        #expect(orders.map { $0["tips"]?.numberText } == ["2.00"])
        #expect(await desk.call("POST", "/_control/orders", body: "{}").status == 400)
    }

    @Test("an edit changes the record and the ledger, a deletion moves it to the deleted")
    func editAndDelete() async throws {
        let desk = try await Desk()
        _ = await desk.call("POST", "/_control/orders", body: Self.order)
        let edited = await desk.call("POST", "/_control/edit/6000000001", body: #"{"total":20,"site_id":985}"#)
        #expect(try JSON(parsing: edited.body)["updated_at"]?.string == "2026-11-22T20:00:00+11:00")
        #expect(try await site(desk, 923)?["orders"]?.integer == 0)
        #expect(try await site(desk, 985)?["total"]?.numberText == "20.00")
        #expect(try await desk.rows("/v1/companies/162/sites/923/orders.json").rows.isEmpty)
        #expect(await desk.call("POST", "/_control/delete/6000000001").status == 200)
        #expect(try await site(desk, 985)?["total"]?.numberText == "0.00")
        #expect(try await desk.rows("/v1/companies/162/orders/deleted.json").rows.count == 1)
        #expect(try await desk.rows("/v1/companies/162/orders/complete.json").rows.isEmpty)
        #expect(await desk.call("POST", "/_control/delete/1").status == 404)
    }

    @Test("a refund is an order of its own that brings the ledger back to zero, whatever its signs",
        arguments: [true, false])
    func refund(isNegative: Bool) async throws {
        let desk = try await Desk { $0.refundsAreNegative = isNegative }
        _ = await desk.call("POST", "/_control/orders", body: Self.order)
        let answer = await desk.call("POST", "/_control/refund/6000000001")
        let id = try #require(try JSON(parsing: answer.body)["id"]?.integer)
        let refund = try await desk.get("/v1/companies/162/orders/\(id).json")
        #expect(refund["is_refund"]?.bool == true && refund["refunded_order_id"]?.integer == 6_000_000_001)
        #expect(refund["total"]?.numberText == (isNegative ? "-12.50" : "12.50"))
        #expect(refund["payments"]?.elements[0]["tip"]?.numberText == (isNegative ? "-2" : "2"))
        #expect(refund["lines"]?.elements[0]["unit_price"]?.numberText == "11.3636")
        let sums = try await site(desk, 923)
        #expect(sums?["total"]?.numberText == "0.00" && sums?["due"]?.numberText == "0.00")
    }

    @Test("entered with another order's goods and payments, an order keeps its name, place and time")
    func entered() async throws {
        let desk = try await Desk { $0.ordersPerSite = 3 }
        let rows = try await desk.rows("/v1/companies/162/orders.json").rows
        let ids = rows.compactMap { $0["id"]?.integer }
        let (id, other) = (ids[0], try #require(ids.last))
        let (before, source) = (
            try await desk.get("/v1/companies/162/orders/\(id).json"),
            try await desk.get("/v1/companies/162/orders/\(other).json")
        )
        let answer = await desk.call(
            "POST", "/_control/enter/\(id)", body: #"{"as":\#(other),"sale_number":"AGAIN"}"#)
        #expect(answer.status == 200)
        let after = try await desk.get("/v1/companies/162/orders/\(id).json")
        for name in ["lines", "payments", "total", "paid"] {
            #expect(after[key: name].map { Array($0.raw) } == source[key: name].map { Array($0.raw) })
        }
        for name in ["id", "site_id", "created_at"] {
            #expect(after[key: name].map { Array($0.raw) } == before[key: name].map { Array($0.raw) })
        }
        #expect(after["sale_number"]?.string == "AGAIN")
        #expect(await desk.call("POST", "/_control/enter/\(id)", body: #"{"as":1}"#).status == 404)
    }

    @Test("bad records are served but left out of the ledger's sums, and named there")
    func badOrders() async throws {
        let desk = try await Desk { $0.badOrders = 4 }
        let ledger = try await desk.get("/_control/ledger")
        let ids = ledger["unbelievable"]?.elements.compactMap(\.integer) ?? []
        #expect(ids.count == 4)
        var served: [JSON] = []
        for company in [162, 163] {
            for row in try await desk.rows("/v1/companies/\(company)/orders.json").rows {
                served.append(try await desk.get("/v1/companies/\(company)/orders/\(row["id"]?.integer ?? 0).json"))
            }
        }
        #expect(Set(served.compactMap { $0["id"]?.integer }) == Set(ids))
        #expect(served.contains { $0["total"] == nil })
        #expect(served.contains { $0["total"]?.string == "twelve dollars" })
        #expect(served.contains { $0["total"]?.numberText?.hasPrefix("-") ?? false })
        #expect(served.contains { $0["site_id"]?.integer == 999_999 })
    }

    @Test("a fault hits the calls it names, as often as it says, and is gone when taken away")
    func faults() async throws {
        let desk = try await Desk()
        let fault = #"{"match":{"method":"GET","path":"/v1/companies/162"},"action":{"status":503,"body":"busy","#
            + #""headers":{"Retry-After":"7"},"delayMs":5},"count":2}"#
        #expect(await desk.call("POST", "/_control/faults", body: fault).status == 201)
        #expect(await desk.call("GET", "/v1/companies/163.json").status == 200)
        for _ in 0..<2 {
            let answer = await desk.call("GET", "/v1/companies/162.json")
            #expect(answer.status == 503 && answer["retry-after"] == "7" && answer.body == Array("busy".utf8))
            #expect(answer.delayMilliseconds == 5)
        }
        #expect(await desk.call("GET", "/v1/companies/162.json").status == 200)
        _ = await desk.call("POST", "/_control/faults", body: #"{"action":{"status":500}}"#)
        #expect(await desk.call("GET", "/v1/companies/162.json").status == 500)
        #expect(await desk.call("DELETE", "/_control/faults").status == 204)
        #expect(await desk.call("GET", "/v1/companies/162.json").status == 200)
        #expect(await desk.call("POST", "/_control/faults", body: #"{"action":{}}"#).status == 400)
    }

    @Test("a share of calls fails, neither none nor all; and an answer dropped after was worked on")
    func sharesAndDrops() async throws {
        let desk = try await Desk()
        _ = await desk.call("POST", "/_control/faults", body: #"{"action":{"status":500},"share":0.3}"#)
        var failed = 0
        for _ in 0..<300 where await desk.call("GET", "/v1/companies/162.json").status == 500 { failed += 1 }
        #expect((45..<150).contains(failed))
        _ = await desk.call("DELETE", "/_control/faults")
        let path = "/v1/companies/162/customers/162001.json"
        for (drop, reference) in [("before", nil), ("after", "after")] as [(String, String?)] {
            let fault = #"{"match":{"method":"PUT"},"action":{"drop":"\#(drop)"},"count":1}"#
            _ = await desk.call("POST", "/_control/faults", body: fault)
            let answer = await desk.call("PUT", path, body: #"{"reference_id":"\#(drop)"}"#)
            #expect(answer.delivery == .drop)
            #expect(try await desk.get(path)["reference_id"]?.string == reference)
        }
    }

    @Test("reset begins again: injected orders, faults and counts are gone, the trade is as at first")
    func reset() async throws {
        let desk = try await Desk { $0.ordersPerSite = 3 }
        let before = try await desk.rows("/v1/companies/162/orders.json").rows.map { Array($0.raw) }
        _ = await desk.call("POST", "/_control/orders", body: Self.order)
        _ = await desk.call("POST", "/_control/faults", body: #"{"action":{"status":500}}"#)
        #expect(await desk.call("POST", "/_control/reset").status == 204)
        #expect(try await desk.get("/_control/counters")["total"]?.integer == 0)
        #expect(try await desk.rows("/v1/companies/162/orders.json").rows.map { Array($0.raw) } == before)
    }
}
