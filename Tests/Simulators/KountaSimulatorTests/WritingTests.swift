import JSON
import Testing

@testable import KountaSimulator

@Suite("What can be written in the simulated till")
struct WritingTests {
    @Test("a customer's PUT takes what it names and leaves the rest, or empties it where that reading is asked for",
        arguments: [false, true])
    func customers(replaces: Bool) async throws {
        let desk = try await Desk { $0.putsReplace = replaces }
        let path = "/v1/companies/162/customers/162003.json"
        let before = try await desk.get(path)
        let answer = await desk.call("PUT", path, body: #"{"reference_id":"abc"}"#)
        #expect(answer.status == 200)
        let after = try await desk.get(path)
        #expect(after["reference_id"]?.string == "abc")
        #expect(after["id"]?.integer == 162_003)
        let name = try #require(before["first_name"]?.string)
        #expect(after["first_name"]?.string == (replaces ? "" : name))
        let report = try await desk.get("/_control/written")
        #expect(report["customers"]?.elements.map { $0["puts"]?.integer } == [1])
        #expect(await desk.call("PUT", path, body: "{}", headers: ["content-type": "text/plain"]).status == 400)
        #expect(await desk.call("PUT", "/v1/companies/163/customers/162003.json", body: "{}").status == 404)
    }

    @Test("a customer who is deleted is not there any longer")
    func deleted() async throws {
        let desk = try await Desk()
        #expect(await desk.call("DELETE", "/_control/customers/162003").status == 204)
        #expect(await desk.call("GET", "/v1/companies/162/customers/162003.json").status == 404)
        #expect(await desk.call("PUT", "/v1/companies/162/customers/162003.json", body: "{}").status == 404)
        #expect(await desk.call("DELETE", "/_control/customers/162003").status == 404)
    }

    @Test("takings that were marked stand in the whole list and not among the unprocessed")
    func takings() async throws {
        let desk = try await Desk { $0.ordersPerSite = 12 }
        let all = try await desk.rows("/v1/companies/162/sites/923/reconciliations.json").rows
        let id = try #require(all.first?["id"]?.integer)
        #expect(all.allSatisfy { $0["processed"]?.bool == false })
        let path = "/v1/companies/162/reconciliations/\(id).json"
        #expect(await desk.call("PUT", path, body: #"{"processed":false}"#).status == 400)
        let answer = await desk.call("PUT", path, body: #"{"processed":true}"#)
        #expect(try JSON(parsing: answer.body)["processed"]?.bool == true)
        let left = try await desk.rows("/v1/companies/162/sites/923/reconciliations/unprocessed.json").rows
        #expect(left.count == all.count - 1 && !left.contains { $0["id"]?.integer == id })
        #expect(try await desk.rows("/v1/companies/162/sites/923/reconciliations.json").rows.count == all.count)
        #expect(await desk.call("PUT", "/v1/companies/163/reconciliations/\(id).json", body: "{}").status == 404)
        #expect(await desk.call("PUT", "/v1/companies/162/reconciliations/1.json", body: "{}").status == 404)
        // Orders cannot be written.
        #expect(await desk.call("PUT", "/v1/companies/162/orders/1.json", body: "{}").status == 405)
        let report = try await desk.get("/_control/written")
        #expect(report["takings"]?.elements.map { $0["id"]?.integer } == [id])
    }
}
