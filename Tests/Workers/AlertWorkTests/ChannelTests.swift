import AlertWork
import Crypto
import Domain
import Foundation
import HTTP
import Mail
import Notices
import Settings
import Store
import Testing

func delivery(_ id: Int64 = 5, channel: String = "duty") -> AlertDelivery {
    AlertDelivery(
        id: id, channel: channel, notice: "opened", subject: "[Tillbridge] 12 letters – Café & Bar <Süd>",
        body: "What: 12 letters\n.\nWhere: Café & Bar <Süd>\nHow much: 1204.50 AUD", payload: #"{"alert":"5","count":12}"#,
        attempts: 1, createdAt: Instant(secondsSince1970: 1_795_000_000))
}

/// 2026-11-25 14:03:20 UTC, a Wednesday.
private let now: Int64 = 1_795_615_400

@Suite("mail", .enabled(if: LoopbackServer.isThere, "python3 and openssl are needed"))
struct MailTests {
    private func client(
        _ server: LoopbackServer, implicit: Bool, password: String = "correct horse", trusted: String? = nil
    ) -> MailClient {
        MailClient(
            name: "tb-mail-test",
            server: MailServer(
                host: "127.0.0.1", port: server.port, isImplicitTLS: implicit, user: "duty", password: password,
                trustedCertificates: trusted ?? server.certificate, timeout: .seconds(20)))
    }

    private func mail(to: [String] = ["ana@example.com", "ben@example.com"]) -> Mail {
        Mail(
            from: "till@example.com", to: to, subject: delivery().subject, text: delivery().body, messageID: "a@b",
            date: now)
    }

    private func refusal(_ client: MailClient, _ mail: Mail) async -> MailError? {
        do throws(MailError) {
            try await client.send(mail)
            return nil
        } catch { return error }
    }

    @Test("is handed over by TLS from the first byte, or after STARTTLS, whole and to everybody", arguments: [true, false])
    func arrives(_ implicit: Bool) async throws {
        let server = try LoopbackServer(implicit ? .smtps : .starttls)
        try await client(server, implicit: implicit).send(mail())
        let taken = try #require(try server.taken().first)
        #expect(try server.taken().count == 1)
        #expect(taken.hasPrefix("user duty\nMAIL FROM:<till@example.com>"))
        #expect(taken.contains("RCPT TO:<ana@example.com>\nRCPT TO:<ben@example.com>"))
        #expect(taken.contains("To: <ana@example.com>,\r\n <ben@example.com>\r\n") || taken.contains("ben@example.com>\n"))
        #expect(taken.contains("Date: Wed, 25 Nov 2026 14:03:20 +0000"))
        let parts = taken.replacing("\r\n", with: "\n").split(separator: "\n\n", maxSplits: 2)
        let text = try #require(Data(base64Encoded: parts[2].replacing("\n", with: "")))
        #expect(String(decoding: text, as: UTF8.self) == delivery().body)
    }

    @Test("is not handed to a server without TLS, nor is the password")
    func plain() async throws {
        let server = try LoopbackServer(.plain)
        let error = try #require(await refusal(client(server, implicit: false), mail()))
        #expect(error.curlCode == 64)
        #expect(try server.taken() == [])
    }

    @Test("is not handed to a server whose certificate is not trusted")
    func certificate() async throws {
        let server = try LoopbackServer(.starttls)
        let other = try LoopbackServer(.starttls)
        let error = try #require(
            await refusal(client(server, implicit: false, trusted: other.certificate), mail()))
        #expect(error.curlCode == 60)
        #expect(try server.taken() == [])
    }

    @Test("that is refused says so without password or message")
    func refused() async throws {
        let server = try LoopbackServer(.closed)
        let error = try #require(await refusal(client(server, implicit: false, password: "wrong horse"), mail()))
        #expect(error.curlCode == 67)
        #expect(!error.description.contains("horse") && !error.description.contains("letters"))
    }

    @Test("whose address would end a line is not sent", arguments: ["a@b\r\nRCPT TO:<c@d>", "a b@c", "<a@b>", "ab", ""])
    func addresses(_ address: String) async throws {
        let client = MailClient(name: "tb-mail-test", server: MailServer(host: "127.0.0.1", port: 1, isImplicitTLS: true))
        #expect(await refusal(client, mail(to: [address]))?.curlCode == 0)
    }

    @Test("has no line that is too long, and no subject that ends its line")
    func lines() {
        var mail = mail()
        mail.subject = String(repeating: "Süd\r\nBcc: x ", count: 60)
        mail.text = String(repeating: "x", count: 5000) + "\r\n.\r\nQUIT"
        let lines = String(decoding: mail.encoded(), as: UTF8.self).components(separatedBy: "\r\n")
        #expect(lines.allSatisfy { $0.utf8.count <= 78 })
        #expect(!lines.contains { $0.hasPrefix("Bcc") || $0 == "." })
    }

    @Test("servers are addressed as smtp or smtps, without user information")
    func servers() {
        #expect(MailServer.address("smtps://mail.example.com").map { $0.port } == 465)
        #expect(MailServer.address("smtp://mail.example.com:2525").map { $0.port } == 2525)
        for bad in ["http://x", "smtp://", "smtp://u:p@host", "smtp://host:0", "smtp://host/x"] {
            #expect(MailServer.address(bad) == nil, "\(bad)")
        }
    }
}

@Suite("a webhook", .enabled(if: LoopbackServer.isThere, "python3 and openssl are needed"))
struct WebhookTests {
    private func send(
        _ form: WebhookChannel.Form, to server: LoopbackServer, path: String = "/hook/secret"
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
        let server = try LoopbackServer(.https)
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
        let server = try LoopbackServer(.https)
        #expect(try await send(.slack, to: server) == nil)
        let taken = try #require(try server.taken().first)
        let body = try #require(taken.components(separatedBy: "\n\n").last)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: String])
        #expect(object["text"]?.hasPrefix("*[Tillbridge] 12 letters – Café &amp; Bar &lt;Süd&gt;*\n") == true)
    }

    @Test("that is not taken says so without its address")
    func failing() async throws {
        let server = try LoopbackServer(.https, failures: 1)
        let error = try #require(try await send(.slack, to: server))
        #expect(error.description == "the address of ops answered 503")
        #expect(!error.isRefused)
        server.end()
        let gone = try #require(try await send(.slack, to: server))
        #expect(!gone.description.contains("secret"))
    }
}
