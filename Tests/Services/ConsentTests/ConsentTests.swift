import Consent
import Credentials
import Foundation
import HTTP
import Settings
import Testing
import XeroSimulator

@Suite(.timeLimit(.minutes(1))) struct ConsentTests {
    /// The browser of a person: opens an address and follows it back.
    private struct Browser: Sendable {
        let http = HTTPClient(name: "tb-browser")

        func open(_ address: String) async throws -> (status: Int, text: String, location: String?) {
            let request = HTTPRequest(method: .get, url: address)
            guard case .answered(let response) = await http.send(request) else { throw Nobody() }
            return (response.status, String(decoding: response.body, as: UTF8.self), response.headers["Location"])
        }
    }

    private struct Nobody: Error {}

    private static let public_ = AppCredential(id: "public", secret: nil)

    private static func request(_ port: Int) -> ConsentRequest {
        .xero(login: "http://127.0.0.1:1", clientID: "public", redirect: "http://127.0.0.1:\(port)/callback")
    }

    /// Runs a listener; `visit` gets the consent page's request and the listener's address.
    private func consent(
        atMost limit: Duration = .seconds(20),
        _ visit: @Sendable @escaping (ConsentRequest, Browser) async throws -> Void
    ) async throws -> RedirectListener.Outcome? {
        let browser = Browser()
        let (requests, keep) = AsyncStream.makeStream(of: ConsentRequest.self)
        let outcome = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for await request in requests { return try await visit(request, browser) } }
            let outcome = try await RedirectListener(path: "/callback", port: 0).wait(
                atMost: limit, for: { Self.request($0) }, show: { keep.yield($0) })
            keep.finish()
            try await group.waitForAll()
            return outcome
        }
        await browser.http.close()
        return outcome
    }

    @Test("the answer with the right state is taken, and the person gets a page that says so")
    func taken() async throws {
        let outcome = try await consent { request, browser in
            let page = try await browser.open("\(request.redirect)?code=c%2F1&state=\(request.state.revealed)")
            #expect(page.status == 200 && page.text.contains("You can close this window"))
        }
        guard case .code(let code) = outcome else { return #expect(Bool(false), "\(String(describing: outcome))") }
        #expect(code.revealed == "c/1")
    }

    @Test("a wrong state, none, another path and another method do not end the wait")
    func wrongState() async throws {
        let outcome = try await consent { request, browser in
            let state = request.state.revealed
            let wrong = String(state.dropLast()) + (state.last == "A" ? "B" : "A")
            for query in ["code=evil&state=\(wrong)", "code=evil", "code=evil&state=", "error=access_denied&state=x"] {
                let page = try await browser.open("\(request.redirect)?\(query)")
                #expect(page.status == 400 && !page.text.contains(state))
            }
            let elsewhere = request.redirect.replacing("callback", with: "other")
            #expect(try await browser.open("\(elsewhere)?code=evil&state=\(state)").status == 404)
            #expect(try await browser.open("\(request.redirect)?code=good&state=\(state)").status == 200)
        }
        guard case .code(let code) = outcome else { return #expect(Bool(false), "\(String(describing: outcome))") }
        #expect(code.revealed == "good")
    }

    @Test("a no is told as one, with the service's word made harmless")
    func denied() async throws {
        let outcome = try await consent { request, browser in
            let page = try await browser.open(
                "\(request.redirect)?error=access_denied%1B%5B31m%3Cb%3E&state=\(request.state.revealed)")
            #expect(page.status == 200 && page.text.contains("No access was given") && !page.text.contains("<b>"))
        }
        guard case .refused(let code) = outcome else { return #expect(Bool(false), "\(String(describing: outcome))") }
        #expect(code == "access_denied??31m?b?")
    }

    @Test("nobody comes: the wait ends in time")
    func nobody() async throws {
        let outcome = try await consent(atMost: .milliseconds(200)) { _, _ in }
        #expect(outcome == nil)
    }

    @Test("a port that is taken is an error, not a wait")
    func portTaken() async throws {
        let (ports, keep) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                _ = try await RedirectListener(path: "/callback", port: 0).wait(
                    atMost: .seconds(30), for: { port in
                        keep.yield(port)
                        return Self.request(port)
                    }, show: { _ in })
            }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            await #expect(throws: (any Error).self) {
                try await RedirectListener(path: "/callback", port: port).wait(
                    atMost: .seconds(30), for: { Self.request($0) }, show: { _ in })
            }
            group.cancelAll()
            // Cancelled: the first listener ends as it was told.
            while (try? await group.next()) != nil {}
        }
    }

    @Test("the address asks for a code with PKCE, and its challenge is the verifier's (RFC 7636, appendix B)")
    func address() throws {
        #expect(
            ConsentRequest.challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
                == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
        let request = ConsentRequest.xero(
            login: "https://login.xero.com", clientID: "a b", redirect: "http://localhost:1/callback")
        let other = ConsentRequest.xero(login: "", clientID: "a b", redirect: "")
        #expect(request.address.hasPrefix("https://login.xero.com/identity/connect/authorize?response_type=code&"))
        #expect(request.address.contains("redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fcallback&"))
        #expect(request.address.contains("client_id=a%20b&") && request.address.contains("scope=offline_access%20"))
        #expect(!request.address.contains(request.verifier.revealed))
        #expect(request.verifier.revealed.count == 43 && request.verifier.revealed != other.verifier.revealed)
        #expect(request.state.revealed != other.state.revealed)
        #expect(!"\(request)".contains(request.state.revealed) && !"\(request)".contains(request.verifier.revealed))
    }

    @Test("a public app gets its pair with the verifier, and nothing with another, a used code or another address")
    func exchange() async throws {
        try await withXero { base, http in
            let browser = Browser()
            let endpoint = TokenEndpoint.xero(http, identity: base, app: Self.public_)
            func code(_ request: ConsentRequest) async throws -> Secret {
                let location = try #require(try await browser.open(request.address).location)
                return Secret(String(try #require(location.split(separator: "code=").last?.prefix { $0 != "&" })))
            }
            func request() -> ConsentRequest {
                .xero(login: base, clientID: "public", redirect: "http://localhost:1/callback")
            }
            let good = request()
            let first = try await code(good)
            let answer = await endpoint.exchange(code: first, redirect: good.redirect, verifier: good.verifier)
            guard case .granted(let granted) = answer, let refresh = granted.refresh else {
                return #expect(Bool(false), "\(answer)")
            }
            #expect(granted.lifetime > .seconds(1790) && granted.refreshLifetime == .seconds(60 * 86_400))
            guard case .granted = await endpoint.renew(refresh) else { return #expect(Bool(false), "no renewal") }
            func expectRefused(_ code: Secret, _ redirect: String, _ verifier: Secret) async {
                let answer = await endpoint.exchange(code: code, redirect: redirect, verifier: verifier)
                guard case .grantRefused = answer else { return #expect(Bool(false), "\(answer)") }
            }
            await expectRefused(first, good.redirect, good.verifier)
            await expectRefused(try await code(good), good.redirect, request().verifier)
            await expectRefused(try await code(good), "http://localhost:2/callback", good.verifier)
            #expect(await endpoint.revoke(refresh) == nil)
            guard case .grantRefused = await endpoint.renew(refresh) else { return #expect(Bool(false), "revoked") }
            let app = AppCredential(id: "public", secret: Secret("x"))
            let stranger = TokenEndpoint.xero(http, identity: base, app: app)
            guard case .appRefused("invalid_client") = await stranger.renew(refresh) else {
                return #expect(Bool(false), "a wrong secret was taken")
            }
            await browser.http.close()
        }
    }

    private func withXero(_ work: @Sendable (String, HTTPClient) async throws -> Void) async throws {
        let settings = SimulatorSettings(
            organisations: [try OrganisationSettings(tenantID: "t", name: "T")],
            clients: [try #require(Client(flag: "public:"))], limits: .off)
        try await withXeroSimulator(settings) { port in
            let http = HTTPClient(name: "tb-test")
            try await work("http://127.0.0.1:\(port)", http)
            await http.close()
        }
    }
}
