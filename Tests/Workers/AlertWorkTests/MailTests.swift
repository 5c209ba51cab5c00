import Foundation
import Mail
import Peers
import Testing

@Suite("mail", .enabled(if: NoticeReceiver.isThere, "python3 and openssl are needed"))
struct MailTests {
    private let subject = "[Tillbridge] 12 letters – Café & Bar <Süd>"
    private let text = "What: 12 letters\n.\nWhere: Café & Bar <Süd>\nHow much: 1204.50 AUD"

    private func client(
        _ server: NoticeReceiver, implicit: Bool, password: String = "correct horse", trusted: String? = nil
    ) -> MailClient {
        MailClient(
            name: "tb-mail-test",
            server: MailServer(
                host: "127.0.0.1", port: server.port, isImplicitTLS: implicit, user: "duty", password: password,
                trustedCertificates: trusted ?? server.certificate, timeout: .seconds(20)))
    }

    private func mail(to: [String] = ["ana@example.com", "ben@example.com"]) -> Mail {
        Mail(
            from: "till@example.com", to: to, subject: subject, text: text, messageID: "a@b",
            date: 1_795_615_400)
    }

    private func refusal(_ client: MailClient, _ mail: Mail) async -> MailError? {
        do throws(MailError) {
            try await client.send(mail)
            return nil
        } catch { return error }
    }

    @Test("is handed over by TLS from the start, or after STARTTLS, whole and to everybody", arguments: [true, false])
    func arrives(_ implicit: Bool) async throws {
        let server = try NoticeReceiver(implicit ? .smtps : .starttls)
        try await client(server, implicit: implicit).send(mail())
        let taken = try #require(try server.taken().first)
        #expect(try server.taken().count == 1)
        #expect(taken.hasPrefix("user duty\nMAIL FROM:<till@example.com>"))
        #expect(taken.contains("RCPT TO:<ana@example.com>\nRCPT TO:<ben@example.com>"))
        #expect(taken.contains("Date: Wed, 25 Nov 2026 14:03:20 +0000"))
        let parts = taken.replacing("\r\n", with: "\n").split(separator: "\n\n", maxSplits: 2)
        let body = try #require(Data(base64Encoded: String(parts[2].filter { !$0.isNewline })))
        #expect(String(decoding: body, as: UTF8.self) == text)
    }

    @Test("is not handed to a server without TLS, nor is the password")
    func plain() async throws {
        let server = try NoticeReceiver(.plain)
        let error = try #require(await refusal(client(server, implicit: false), mail()))
        #expect(error.curlCode == 64)
        #expect(try server.taken() == [])
    }

    @Test("is not handed to a server whose certificate is not trusted")
    func certificate() async throws {
        let server = try NoticeReceiver(.starttls)
        let other = try NoticeReceiver(.starttls)
        let error = try #require(
            await refusal(client(server, implicit: false, trusted: other.certificate), mail()))
        #expect(error.curlCode == 60)
        #expect(try server.taken() == [])
    }

    @Test("that is refused says so without password or message")
    func refused() async throws {
        let server = try NoticeReceiver(.closed)
        let error = try #require(await refusal(client(server, implicit: false, password: "wrong horse"), mail()))
        #expect(error.curlCode == 67)
        #expect(!error.description.contains("horse") && !error.description.contains("letters"))
    }

    @Test("whose address would end a line is not sent", arguments: ["a@b\r\nRCPT TO:<c@d>", "a b@c", "<a@b>", "ab", ""])
    func addresses(_ address: String) async throws {
        let server = MailServer(host: "127.0.0.1", port: 1, isImplicitTLS: true)
        let client = MailClient(name: "tb-mail-test", server: server)
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
