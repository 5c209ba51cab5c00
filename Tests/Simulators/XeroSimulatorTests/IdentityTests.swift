import JSON
import NIOHTTP1
import Testing
import XeroSimulator

@Suite(.timeLimit(.minutes(1))) struct IdentityTests {
    @Test("a call without a token, with a made-up one and with an old one gets 401")
    func unauthorised() async throws {
        try await withSimulator { world in
            var other = world
            other.token = "made-up"
            #expect(try await other.call(.GET, "Organisation").status == 401)
            let none = try await world.call(.GET, "Organisation", headers: ["Authorization": ""])
            #expect(none.status == 401)
            #expect(try none.json["Detail"]?.string == "AuthenticationUnsuccessful")
            world.time.advance(seconds: 30 * 60 - 1)
            #expect(try await world.call(.GET, "Organisation").status == 200)
            world.time.advance(seconds: 1)
            let old = try await world.call(.GET, "Organisation")
            #expect(old.status == 401)
            #expect(try old.json["Detail"]?.string?.hasPrefix("TokenExpired") == true)
        }
    }

    @Test("a refresh token rotates, may be sent again within half an hour, and not later")
    func rotation() async throws {
        try await withSimulator { world in
            let client = "&client_id=tb&client_secret=s"
            func refresh(_ token: String) async throws -> (status: Int, token: String?) {
                let reply = try await world.grant("grant_type=refresh_token&refresh_token=\(token)\(client)")
                return (reply.status, try reply.json["refresh_token"]?.string)
            }
            let grant = try await world.grant("grant_type=authorization_code&\(try await world.code("tb"))\(client)")
            let first = try #require(try grant.json["refresh_token"]?.string)
            let second = try #require(try await refresh(first).token)
            #expect(second != first)
            world.time.advance(seconds: 30 * 60)
            #expect(try await refresh(first).status == 200)
            world.time.advance(seconds: 1)
            #expect(try await refresh(first).status == 400)
            #expect(try await refresh(second).status == 200)
            let revocation = try await world.call(.POST, "/connect/revocation", "token=\(second)\(client)")
            #expect(revocation.status == 200)
            #expect(try await refresh(second).status == 400)
        }
    }

    @Test("a code is good once, for five minutes, for its app, at its redirect address and with its verifier")
    func codes() async throws {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        let challenge = "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
        try await withSimulator(clients: ["public:", "app:hush"]) { world in
            func trade(_ form: String) async throws -> Int {
                try await world.grant("grant_type=authorization_code&\(form)").status
            }
            func code() async throws -> String { try await world.code("public", more: challenge) }
            let good = try await code()
            #expect(try await trade("\(good)&client_id=public&code_verifier=\(verifier)") == 200)
            #expect(try await trade("\(good)&client_id=public&code_verifier=\(verifier)") == 400)
            #expect(try await trade("\(try await code())&client_id=public&code_verifier=\(verifier)x") == 400)
            #expect(try await trade("\(try await code())&client_id=public") == 400)
            let other = "client_id=app&client_secret=hush&code_verifier=\(verifier)"
            #expect(try await trade("\(try await code())&\(other)") == 400)
            let moved = try await code().replacing("back", with: "elsewhere")
            #expect(try await trade("\(moved)&client_id=public&code_verifier=\(verifier)") == 400)
            let old = try await code()
            world.time.advance(seconds: 5 * 60 + 1)
            #expect(try await trade("\(old)&client_id=public&code_verifier=\(verifier)") == 400)
            #expect(try await trade("code=made-up&client_id=public") == 400)
        }
    }

    @Test("a grant opens the organisations that were ticked and lists no other")
    func ticked() async throws {
        try await withSimulator { world in
            var world = world
            let form = try await world.code("tb", more: "&tenants=\(World.tenant)")
            let grant = try await world.grant("grant_type=authorization_code&client_id=tb&client_secret=s&\(form)")
            world.token = try #require(try grant.json["access_token"]?.string)
            #expect(try await world.call(.GET, "/connections").json.elements.count == 1)
            #expect(try await world.call(.GET, "Organisation").status == 200)
            world.tenantHeader = "5d1ac0de-0000-4000-8000-000000000002"
            #expect(try await world.call(.GET, "Organisation").status == 403)
        }
    }

    @Test("a custom connection's token implies its organisation and opens no other")
    func customConnection() async throws {
        try await withSimulator(clients: ["app:hush=\(World.tenant)"]) { world in
            var own = world
            own.tenantHeader = nil
            // app:hush
            let reply = try await own.grant("grant_type=client_credentials", basic: "YXBwOmh1c2g=")
            own.token = try #require(try reply.json["access_token"]?.string)
            #expect(try reply.json["refresh_token"] == nil)
            #expect(try reply.json["expires_in"]?.integer == 1800)
            let organisation = try await own.call(.GET, "Organisation").only("Organisations")
            #expect(organisation["OrganisationID"]?.string == World.tenant)
            own.tenantHeader = "5d1ac0de-0000-4000-8000-000000000002"
            #expect(try await own.call(.GET, "Organisation").status == 403)
            let wrong = try await own.grant("grant_type=client_credentials&client_id=app&client_secret=loud")
            #expect(wrong.status == 400)
            #expect(try wrong.json["error"]?.string == "invalid_client")
        }
    }

    @Test("connections list the organisations, and a deleted one answers 403 from then on")
    func connections() async throws {
        try await withSimulator { world in
            let list = try await world.call(.GET, "/connections").json.elements
            #expect(list.count == 2)
            let mine = try #require(list.first { $0["tenantId"]?.string == World.tenant })
            let id = try #require(mine["id"]?.string)
            #expect(try await world.call(.DELETE, "/connections/\(id)").status == 204)
            #expect(try await world.call(.GET, "/connections").json.elements.count == 1)
            let reply = try await world.call(.GET, "Organisation")
            #expect(reply.status == 403)
            #expect(try reply.json["Detail"]?.string == "AuthenticationUnsuccessful")
        }
    }

    @Test("the control API can end tokens, put an organisation offline and add another")
    func control() async throws {
        try await withSimulator { world in
            try await world.change(#""offline":true"#)
            let offline = try await world.call(.GET, "Organisation")
            #expect(offline.status == 503)
            #expect(offline.text == "The Organisation is offline")
            try await world.change(#""offline":false"#)
            let body = #"{"tenantId":"third","name":"Third","country":"GB","venues":["Soho"]}"#
            #expect(try await world.control(.POST, "organisations", body).status == 200)
            var third = world
            third.tenantHeader = "third"
            let tracking = try await third.call(.GET, "TrackingCategories").only("TrackingCategories")
            #expect(tracking["Options"]?.elements.map { $0["Name"]?.string } == ["Soho"])
            try await world.change(#""expireTokens":true"#)
            #expect(try await world.call(.GET, "Organisation").status == 401)
            #expect(try await world.control(.POST, "organisations", #"{"name":"none"}"#).status == 400)
        }
    }

    @Test("without Accept: application/json there is no JSON")
    func accept() async throws {
        try await withSimulator { world in
            let reply = try await world.call(.GET, "Organisation", headers: ["Accept": "*/*"])
            #expect(reply.status == 406)
            #expect(try reply.header("Content-Type")?.hasPrefix("text/xml") == true)
        }
    }

    struct Place: Sendable {
        let country: String
        let currency: String
        let taxType: String
        let rate: String
    }

    @Test(
        "the settings endpoints show the chart, the taxes and the currency of each country",
        arguments: [
            Place(country: "AU", currency: "AUD", taxType: "OUTPUT", rate: "10.0"),
            Place(country: "NZ", currency: "NZD", taxType: "OUTPUT2", rate: "15.0"),
            Place(country: "GB", currency: "GBP", taxType: "OUTPUT2", rate: "20.0"),
        ])
    func settings(_ place: Place) async throws {
        try await withSimulator(country: place.country) { world in
            let rates = try await world.call(.GET, "TaxRates").json["TaxRates"]?.elements ?? []
            let sales = rates.first { $0["TaxType"]?.string == place.taxType }
            #expect(sales?.digits("EffectiveRate") == place.rate)
            let currency = try await world.call(.GET, "Currencies").only("Currencies")
            #expect(currency["Code"]?.string == place.currency)
            let accounts = try await world.call(.GET, "Accounts").json["Accounts"]?.elements ?? []
            let system = accounts.filter { $0["SystemAccount"]?.string == "ROUNDING" }
            #expect(system.map { $0["Code"]?.string } == ["860"])
            let paying = try await world.call(.GET, "Accounts?where=EnablePaymentsToAccount==true")
            let codes = try paying.json["Accounts"]?.elements.compactMap { $0["Code"]?.string } ?? []
            #expect(codes.contains("231") && !codes.contains("200"))
        }
    }
}
