import Crypto
import Domain
import Foundation
import HTTP
import Notices
import Peers
import Settings
import Store
import Testing

func delivery(_ id: Int64 = 5, channel: String = "duty") -> AlertDelivery {
    AlertDelivery(
        id: id, channel: channel, notice: "opened", subject: "[Tillbridge] 12 letters – Café & Bar <Süd>",
        body: "What: 12 letters\n.\nWhere: Café & Bar <Süd>\nHow much: 1204.50 AUD",
        payload: #"{"alert":"5","count":12}"#, attempts: 1, createdAt: Instant(secondsSince1970: 1_795_000_000))
}

/// 2026-11-25 14:03:20 UTC, a Wednesday.
private let now: Int64 = 1_795_615_400

@Suite("a webhook", .enabled(if: NoticeReceiver.isThere, "python3 and openssl are needed"))
struct WebhookTests {
    private func send(
        _ form: WebhookChannel.Form, to server: NoticeReceiver, path: String = "/hook/secret"
    ) async throws -> NoticeError? {
        let http = HTTPClient(
            name: "tb-hook-test", configuration: HTTPConfiguration(trustedCertificates: server.certificate))
        let channel = WebhookChannel(
            name: "ops", url: Secret("https://127.0.0.1:\(server.port)\(path)"), form: form, http: http)
        var failure: NoticeError?
        do throws(NoticeError) { try await channel.send(delivery(), now: now) } catch { failure = error }
        await http.close()
        return failure
    }

    @Test("is signed over time and body, so that the other side can check both")
    func signed() async throws {
        let server = try NoticeReceiver(.https)
        #expect(try await send(.signed(Secret("0123456789abcdef")), to: server) == nil)
        let taken = try #require(try server.taken().first)
        let body = delivery().payload
        #expect(taken.hasSuffix("\n\n" + body))
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("\(now).\(body)".utf8), using: SymmetricKey(data: Data("0123456789abcdef".utf8)))
        let digits = code.map { String(format: "%02x", $0) }.joined()
        #expect(taken.contains("X-Tillbridge-Signature: t=\(now),v1=\(digits)\n"))
        #expect(taken.contains("X-Tillbridge-Delivery: 5\n"))
    }

    @Test("in Slack's form is text in which nothing of a till has a meaning")
    func slack() async throws {
        let server = try NoticeReceiver(.https)
        #expect(try await send(.slack, to: server) == nil)
        let taken = try #require(try server.taken().first)
        let body = try #require(taken.components(separatedBy: "\n\n").last)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: String])
        #expect(object["text"]?.hasPrefix("*[Tillbridge] 12 letters – Café &amp; Bar &lt;Süd&gt;*\n") == true)
    }

    @Test("that is not taken says so without its address")
    func failing() async throws {
        let server = try NoticeReceiver(.https, failures: 1)
        let error = try #require(try await send(.slack, to: server))
        #expect(error.description == "the address of ops answered 503")
        #expect(!error.isRefused)
        server.end()
        let gone = try #require(try await send(.slack, to: server))
        #expect(!gone.description.contains("secret"))
    }
}
