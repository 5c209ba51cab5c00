import JSON
import Testing

@testable import KountaSimulator

@Suite(.timeLimit(.minutes(2))) struct OrderListTests {
    @Test("following X-Next-Page reaches every order once, newest first, 25 a page")
    func paging() async throws {
        let desk = try await Desk { $0.ordersPerSite = 20 }
        let (rows, pages) = try await desk.rows("/v1/companies/162/orders/complete.json")
        #expect(pages == [25, 25, 10])
        #expect(Set(rows.compactMap { $0["id"]?.integer }).count == 60)
        let times = rows.compactMap { $0["created_at"]?.string.flatMap(SydneyClock.parse) }
        #expect(times.count == 60)
        #expect(times == times.sorted(by: >))
    }

    @Test("a page past the last is empty and leads nowhere; a page that is no number is refused")
    func pagesThatAreNot() async throws {
        let desk = try await Desk { $0.ordersPerSite = 2 }
        for page in ["9", "9223372036854775807"] {
            let answer = await desk.call("GET", "/v1/companies/162/orders.json?page=\(page)")
            #expect(answer.body == Array("[]".utf8))
            #expect(answer["x-next-page"] == nil)
        }
        #expect(await desk.call("GET", "/v1/companies/162/orders.json?page=0").status == 400)
        #expect(await desk.call("GET", "/v1/companies/162/customers.json?page=9223372036854775807").status == 200)
    }

    @Test("created filters take what they say and keep it from page to page")
    func createdFilters() async throws {
        let desk = try await Desk { $0.ordersPerSite = 30 }
        let all = try await desk.rows("/v1/companies/162/orders.json").rows
        let times = all.compactMap { $0["created_at"]?.string }
        let seconds = times.compactMap(SydneyClock.parse)
        let (late, early) = (seconds[10], seconds[70])
        let lateText = times[10].split(separator: "+")[0]
        for (query, from, until) in [
            ("created_gte", early, Int64.max), ("created_gt", early + 1, .max),
            ("created_lt", .min, late), ("created_lte", .min, late + 1),
        ] {
            let text = query.hasPrefix("created_g") ? times[70] : times[10]
            let path = "/v1/companies/162/orders.json?\(query)=\(FormText.escaped(text))"
            let found = try await desk.rows(path).rows.compactMap { $0["id"]?.integer }
            let expected = zip(all, seconds).filter { $1 >= from && $1 < until }.compactMap { $0.0["id"]?.integer }
            #expect(found == expected, "\(query)")
        }
        #expect(lateText.count == 19)
        #expect(await desk.call("GET", "/v1/companies/162/orders.json?created_gte=yesterday").status == 400)
    }

    @Test("a value filter finds the orders between two totals")
    func valueFilter() async throws {
        let desk = try await Desk { $0.ordersPerSite = 30 }
        let all = try await desk.rows("/v1/companies/162/orders.json").rows
        let found = try await desk.rows("/v1/companies/162/orders.json?value_gte=50&value_lt=90.00").rows
        let expected = try all.filter { try (500_000..<900_000).contains($0["total"]?.scaled ?? 0) }
        #expect(!expected.isEmpty && expected.count < all.count)
        #expect(found.compactMap { $0["id"]?.integer } == expected.compactMap { $0["id"]?.integer })
    }

    @Test("venue and till lists part the company's orders, and no order is in two")
    func scopes() async throws {
        let desk = try await Desk { $0.ordersPerSite = 7 }
        var seen: [Int64] = []
        for site in SimulatedCompany.usual[0].sites {
            let path = "/v1/companies/162/sites/\(site.id)"
            let own = try await desk.rows("\(path)/orders/complete.json").rows
            #expect(own.allSatisfy { $0["site_id"]?.integer == site.id })
            var tills = 0
            for till in site.registers {
                tills += try await desk.rows("\(path)/registers/\(till.id)/orders.json").rows.count
            }
            #expect(own.count == 7 && tills == 7)
            seen += own.compactMap { $0["id"]?.integer }
        }
        #expect(Set(seen).count == 21)
    }

    @Test("a row is abridged, the record by id is whole, and both name the same total")
    func rowAndDetail() async throws {
        let desk = try await Desk { $0.ordersPerSite = 3 }
        let row = try #require(try await desk.rows("/v1/companies/163/orders.json").rows.first)
        let id = try #require(row["id"]?.integer)
        #expect(id > Int64(UInt32.max))
        let detail = try await desk.get("/v1/companies/163/orders/\(id).json")
        #expect(row["lines"] == nil && row["staff_id"] != nil && row["updated_at"] != nil)
        #expect(detail["lines"]?.elements.isEmpty == false && detail["staff_member_id"] != nil)
        #expect(row["total"].map { Array($0.raw) } == detail["total"].map { Array($0.raw) })
        #expect(await desk.call("GET", "/v1/companies/162/orders/\(id).json").status == 404)
    }

    @Test("an order opened earlier completes later with its old created_at, and the ledger is finished after the last")
    func lateCompletion() async throws {
        let desk = try await Desk {
            $0.ordersPerSite = 6
            $0.durationSeconds = 10
            $0.latePercent = 100
            $0.lateSecondsMax = 5
        }
        desk.clock.advance(seconds: 1)
        #expect(try await desk.get("/_control/ledger")["finished"]?.bool == false)
        let open = try await desk.rows("/v1/companies/162/orders.json").rows
        let first = try #require(open.last)
        #expect(["PENDING", "ON_HOLD"].contains(first["status"]?.string))
        #expect(try await desk.rows("/v1/companies/162/orders/complete.json").rows.isEmpty)
        desk.clock.advance(seconds: 30)
        let complete = try await desk.rows("/v1/companies/162/orders/complete.json").rows
        #expect(complete.count == 18)
        let again = try #require(complete.first { $0["id"]?.integer == first["id"]?.integer })
        #expect(again["created_at"]?.string == first["created_at"]?.string)
        #expect(again["updated_at"]?.string != first["updated_at"]?.string)
        #expect(try await desk.rows("/v1/companies/162/orders/pending.json").rows.isEmpty)
        #expect(try await desk.get("/_control/ledger")["finished"]?.bool == true)
    }

    @Test("an open order on a customer's account stands among the pending accounts until it is paid")
    func accounts() async throws {
        let desk = try await Desk {
            $0.ordersPerSite = 60
            $0.durationSeconds = 10
            $0.latePercent = 100
        }
        desk.clock.advance(seconds: 9)
        let waiting = try await desk.rows("/v1/companies/162/orders/pending/accounts.json").rows
        #expect(!waiting.isEmpty)
        #expect(waiting.allSatisfy { $0["status"]?.string == "PENDING" })
        desk.clock.advance(seconds: 60)
        #expect(try await desk.rows("/v1/companies/162/orders/pending/accounts.json").rows.isEmpty)
    }
}
