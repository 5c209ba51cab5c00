import HTTP
import Testing
@testable import Xero

@Suite("What an answer of Xero comes to") struct OutcomeTests {
    private func outcome(_ status: Int, _ body: String = "", _ headers: [String: String] = [:]) -> XeroOutcome {
        XeroOutcome(
            HTTPResponse(
                status: status, headers: HTTPHeaders(headers.map { HTTPHeaders.Entry(name: $0.key, value: $0.value) }),
                body: Array(body.utf8), httpVersion: .http1_1))
    }

    @Test("200 is an answer, whatever its body", arguments: [200, 201, 204])
    func answered(status: Int) {
        guard case .answered(let response) = outcome(status, "<html>") else {
            Issue.record("\(status) is no answer")
            return
        }
        #expect(response.status == status)
    }

    @Test("429 is empty: the wait and the problem are in its headers, in any case of letters")
    func limited() {
        guard
            case .limited(let after, let problem) = outcome(
                429, "", ["retry-after": "26", "X-Rate-Limit-Problem": "minute", "X-MinLimit-Remaining": "0"])
        else {
            Issue.record("429 is no limit")
            return
        }
        #expect(after == .seconds(26))
        #expect(problem == "minute")
    }

    @Test(
        "429 without a usable Retry-After waits a little, never not at all",
        arguments: [(nil, 5), ("0", 1), ("-3", 1), ("Sun, 22 Nov 2026 22:00:00 GMT", 5), ("", 5)] as [(String?, Int)])
    func limitedWithoutHint(retryAfter: String?, seconds: Int) {
        var headers = ["X-Rate-Limit-Problem": "concurrent"]
        headers["Retry-After"] = retryAfter
        guard case .limited(let after, "concurrent") = outcome(429, "", headers) else {
            Issue.record("429 is no limit")
            return
        }
        #expect(after == .seconds(seconds))
    }

    @Test("500 leaves open what happened, and so do its kin", arguments: [500, 502, 504, 408])
    func unknown(status: Int) {
        guard case .unknown(let text) = outcome(status, #"{"Title":"An error occurred","Status":500}"#) else {
            Issue.record("\(status) is taken for certain")
            return
        }
        #expect(text == "\(status): An error occurred")
    }

    @Test("503 is plain text: the organisation is offline, nothing happened")
    func offline() {
        guard case .offline(let text) = outcome(503, "The Organisation is offline") else {
            Issue.record("503 is not offline")
            return
        }
        #expect(text == "The Organisation is offline")
    }

    @Test("401 and 403 need a person", arguments: [401, 403])
    func disconnected(status: Int) {
        let body = #"{"Title":"Forbidden","Status":403,"Detail":"AuthenticationUnsuccessful","Instance":"x"}"#
        guard case .disconnected(let text) = outcome(status, body) else {
            Issue.record("\(status) is not disconnected")
            return
        }
        #expect(text == "AuthenticationUnsuccessful")
    }

    @Test(
        "404 is HTML or empty, and final",
        arguments: [("", "no reason given"), ("<html>gone</html>", "<html>gone</html>")])
    func notFound(body: String, expected: String) {
        guard case .refused(404, let text) = outcome(404, body, ["Content-Type": "text/html; charset=utf-8"]) else {
            Issue.record("404 is not refused")
            return
        }
        #expect(text == expected)
    }

    @Test("400 speaks with the sentences of its elements, under either name; else with its message")
    func refused() {
        let elements =
            #"{"ErrorNumber":10,"Type":"ValidationException","Message":"A validation exception occurred","Elements":"#
            + #"[{"ValidationErrors":[{"Message":"One."},{"Description":"Two."}]},{"ValidationErrors":[]},"#
            + #"{"ValidationErrors":[{"Message":"Three."}]}]}"#
        guard case .refused(400, "One. Two. Three.") = outcome(400, elements) else {
            Issue.record("\(outcome(400, elements))")
            return
        }
        let ours = #"{"ErrorNumber":14,"Type":"PostDataInvalidException","Message":"JSON for post data was invalid"}"#
        guard case .refused(400, "JSON for post data was invalid") = outcome(400, ours) else {
            Issue.record("\(outcome(400, ours))")
            return
        }
    }

    @Test("a body of any shape and length gives a short sentence, and no crash", arguments: [
        ("null", 1), ("[]", 1), ("{}", 1), ("{\"Elements\":1}", 1), ("{\"Elements\":[null]}", 1), ("{", 1),
        ("<p>", 100_000),
    ])
    func anyBody(unit: String, count: Int) {
        guard case .refused(400, let text) = outcome(400, String(repeating: unit, count: count)) else {
            Issue.record("400 is not refused")
            return
        }
        #expect(!text.isEmpty && text.count <= 300)
    }
}
