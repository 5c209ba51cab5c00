import JSON
import Testing

@testable import KountaSimulator

@Suite(.timeLimit(.minutes(1))) struct AccessTests {
    private func token(_ desk: Desk, _ form: String) async throws -> JSON {
        let answer = await desk.call(
            "POST", "/v1/token", body: form, authorization: nil,
            headers: ["content-type": "application/x-www-form-urlencoded"])
        guard answer.status == 200 else { throw UnexpectedAnswer(status: answer.status, target: form) }
        return try JSON(parsing: answer.body)
    }

    @Test("a code buys a token for one company, once; another company is refused")
    func oauth() async throws {
        let desk = try await Desk()
        let form = "grant_type=authorization_code&client_id=a&client_secret=b&code=c163"
        let access = try #require(try await token(desk, form)["access_token"]?.string)
        let own = await desk.call("GET", "/v1/companies/me.json", authorization: "Bearer \(access)")
        #expect(try JSON(parsing: own.body)["id"]?.integer == 163)
        let other = await desk.call("GET", "/v1/companies/162/orders.json", authorization: "Bearer \(access)")
        #expect(other.status == 403)
        await #expect(throws: UnexpectedAnswer.self) { try await token(desk, form) }
    }

    @Test("the consent page sends a code back that opens the company it was given for")
    func authorize() async throws {
        let desk = try await Desk()
        let page = await desk.call(
            "GET", "/authorize?response_type=code&state=x%26y&company=163&redirect_uri=http%3A%2F%2Fhere%2F")
        let location = try #require(page["location"])
        #expect(page.status == 302 && location.hasPrefix("http://here/?code=") && location.hasSuffix("&state=x%26y"))
        let code = location.dropFirst("http://here/?code=".count).prefix { $0 != "&" }
        let form = "grant_type=authorization_code&client_id=a&client_secret=b&redirect_uri=http%3A%2F%2Fhere%2F"
        let grant = try await token(desk, "\(form)&code=\(code)")
        #expect(grant["access_token"]?.string?.hasPrefix("access-163-") == true)
    }

    @Test("a refresh gives a new token; the second leaves the refresh token out and the old one stays good")
    func refresh() async throws {
        let desk = try await Desk()
        let client = "client_id=a&client_secret=b"
        let first = try await token(desk, "grant_type=authorization_code&code=x&\(client)")
        let refresh = try #require(first["refresh_token"]?.string)
        let form = "grant_type=refresh_token&refresh_token=\(refresh)&\(client)"
        let answers = [try await token(desk, form), try await token(desk, form), try await token(desk, form)]
        #expect(answers.map { $0["refresh_token"] != nil } == [true, false, true])
        #expect(Set(answers.compactMap { $0["access_token"]?.string }).count == 3)
    }

    @Test("an expired token is refused with 401 or with 400 that says expired, and by id with nothing")
    func expiry() async throws {
        let desk = try await Desk { $0.tokenSeconds = 60 }
        let grant = try await token(desk, "grant_type=client_credentials&client_id=a&client_secret=b")
        let bearer = "Bearer \(try #require(grant["access_token"]?.string))"
        #expect(await desk.call("GET", "/v1/companies/162.json", authorization: bearer).status == 200)
        desk.clock.advance(seconds: 60)
        let one = await desk.call("GET", "/v1/companies/162.json", authorization: bearer)
        let other = await desk.call("GET", "/v1/companies/162.json", authorization: bearer)
        #expect([one.status, other.status] == [401, 400])
        #expect(String(decoding: other.body, as: UTF8.self).contains("expired"))
        let byID = await desk.call("GET", "/v1/companies/162/orders/5000000000.json", authorization: bearer)
        #expect(byID.status == 401 && byID.body.isEmpty)
    }

    @Test("Basic opens its own company only; a wrong secret and no authorisation open nothing")
    func basic() async throws {
        let desk = try await Desk { $0.clients = [.init(id: "a", secret: "b", company: 162)] }
        #expect(await desk.call("GET", "/v1/companies/162.json").status == 200)
        #expect(await desk.call("GET", "/v1/companies/163.json").status == 403)
        #expect(await desk.call("GET", "/v1/companies/162.json", authorization: "Basic YTpj").status == 401)
        #expect(await desk.call("GET", "/v1/companies/162.json", authorization: nil).status == 401)
        #expect(await desk.call("GET", "/v1/companies/999.json").status == 404)
    }

    @Test("without .json or an Accept header there is 406, and a write without its content type 400")
    func formats() async throws {
        let desk = try await Desk()
        #expect(await desk.call("GET", "/v1/companies/162").status == 406)
        let accepted = await desk.call("GET", "/v1/companies/162", headers: ["accept": "application/json"])
        #expect(accepted.status == 200)
        let path = "/v1/companies/162/customers/162001.json"
        #expect(await desk.call("PUT", path, body: "{}", headers: ["content-type": "text/plain"]).status == 400)
        #expect(await desk.call("PUT", path, body: "{}").status == 200)
    }

    @Test("the 61st Basic call of a minute is refused in both forms with the time of reset, and let in after it")
    func rateLimit() async throws {
        let desk = try await Desk { $0.limits = .times(1) }
        for _ in 0..<60 { #expect(await desk.call("GET", "/v1/companies/162.json").status == 200) }
        let text = await desk.call("GET", "/v1/companies/162.json")
        let object = await desk.call("GET", "/v1/companies/162.json")
        #expect(text.status == 429 && text.body == Array("Limit exceeded".utf8))
        #expect(object.status == 429 && object.body == Array(#"{"error":"Limit exceeded"}"#.utf8))
        #expect(text["x-ratelimit-reset"] == String(ManualClock.start / 1_000 + 60))
        #expect(text["x-ratelimit-limit"] == "60" && text["x-ratelimit-remaining"] == "0")
        #expect(text["retry-after"] == nil)
        #expect(await desk.call("GET", "/v1/companies/163.json").status == 200)
        let counters = try await desk.get("/_control/counters")
        #expect(counters["refused"]?.integer == 2 && counters["mostInAMinute"]?.integer == 63)
        desk.clock.advance(seconds: 60)
        #expect(await desk.call("GET", "/v1/companies/162.json").status == 200)
    }

    @Test("an OAuth client may call 180 times a minute, times the factor that was set")
    func oauthLimit() async throws {
        let desk = try await Desk { $0.limits = .times(2) }
        let grant = try await token(desk, "grant_type=client_credentials&client_id=a&client_secret=b")
        let bearer = "Bearer \(try #require(grant["access_token"]?.string))"
        let answer = await desk.call("GET", "/v1/companies/162.json", authorization: bearer)
        #expect(answer["x-ratelimit-limit"] == "360" && answer["x-ratelimit-remaining"] == "359")
    }
}
