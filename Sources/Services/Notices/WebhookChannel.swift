import Crypto
package import HTTP
import JSON
package import Settings
package import Store

/// A message to an address: in Slack's form, or the facts with a signature.
package struct WebhookChannel: NoticeChannel {
    package enum Form: Sendable {
        /// `{"text": …}`, which Slack, Mattermost, Rocket.Chat and others take.
        case slack
        /// The alert as JSON, signed.
        case signed(Secret)
    }

    package let name: String
    private let url: Secret
    private let form: Form
    private let http: HTTPClient

    package init(name: String, url: Secret, form: Form, http: HTTPClient) {
        self.name = name
        self.url = url
        self.form = form
        self.http = http
    }

    package func send(_ delivery: AlertDelivery, now: Int64) async throws(NoticeError) {
        var headers: [(name: String, value: String)] = [
            ("Content-Type", "application/json"), ("X-Tillbridge-Delivery", "\(delivery.id)"),
        ]
        let body: [UInt8]
        switch form {
        case .slack: body = Self.slackBody(delivery)
        case .signed(let key):
            body = Array(delivery.payload.utf8)
            headers.append(("X-Tillbridge-Signature", Self.signature(of: body, at: now, key: key)))
        }
        let outcome = await http.send(
            HTTPRequest(
                method: .post, url: url.revealed, headers: headers, body: body, timeout: .seconds(20),
                maxResponseBytes: 65_536))
        switch outcome {
        case .answered(let response) where (200...299).contains(response.status): return
        case .answered(let response):
            // Not the answer's text: it may repeat what we sent, and the address is a secret itself.
            let isRefused = (400...499).contains(response.status) && ![408, 429].contains(response.status)
            throw NoticeError("the address of \(name) answered \(response.status)", isRefused: isRefused)
        case .neverSent(let error), .unknown(let error):
            throw NoticeError("the address of \(name) could not be reached: \(error.code)")
        }
    }

    /// `t=<seconds since 1970>,v1=<hexadecimal HMAC-SHA256 over "<t>.<body>">`. The time is signed too, so that an old
    /// message cannot be played again as a new one.
    package static func signature(of body: [UInt8], at now: Int64, key: Secret) -> String {
        let signed = Array("\(now).".utf8) + body
        let code = HMAC<SHA256>.authenticationCode(
            for: signed, using: SymmetricKey(data: Array(key.revealed.utf8)))
        let digits = code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return "t=\(now),v1=\(digits)"
    }

    /// Slack gives a meaning to `&`, `<` and `>`; what comes from a till has none.
    private static func slackBody(_ delivery: AlertDelivery) -> [UInt8] {
        var text = ""
        for scalar in "*\(delivery.subject)*\n\(delivery.body)".unicodeScalars {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            default: text.unicodeScalars.append(scalar)
            }
        }
        var writer = JSONWriter()
        writer.object { object in object.field("text", text) }
        return writer.bytes
    }
}
