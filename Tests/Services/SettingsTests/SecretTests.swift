import Settings
import Testing

@Suite("Secrets") struct SecretTests {
    private static let hush = "correct-horse"

    @Test("a secret comes from a file, without the line break at its end")
    func files() throws {
        let settings = try SettingsExample.load(
            environment: [
                "TILLBRIDGE_DATABASE_URL": "", "TILLBRIDGE_DATABASE_URL_FILE": "/run/secrets/db",
                "TILLBRIDGE_XERO_HARBOUR_CLIENT_ID": "id",
                "TILLBRIDGE_XERO_HARBOUR_CLIENT_SECRET_FILE": "/run/secrets/xero",
            ], files: ["/run/secrets/db": "postgresql://x@y/z\n", "/run/secrets/xero": " \(Self.hush)\r\n\n"])
        #expect(settings.connections.database.revealed == "postgresql://x@y/z")
        let credential = try #require(settings.organisations[0].credential)
        #expect(credential.id == "id")
        // Blanks belong to it, line breaks do not.
        #expect(credential.secret.revealed == " " + Self.hush)
    }

    @Test("the variable wins over the file of the same name")
    func variableWins() throws {
        let settings = try SettingsExample.load(
            environment: ["TILLBRIDGE_RABBITMQ_URL_FILE": "/run/secrets/mq"],
            files: ["/run/secrets/mq": "amqp://other/"])
        #expect(settings.connections.rabbitMQ.revealed == "amqp://fleet:hush@broker/")
    }

    @Test("the keys that seal the tokens come from the file that TILLBRIDGE_KEY_FILE names, all lines of it")
    func keyFile() throws {
        let lines = "k2:\(Self.hush)\nk1:other-\(Self.hush)\n"
        let named = ["TILLBRIDGE_KEY_FILE": "/run/secrets/key"]
        let settings = try SettingsExample.load(environment: named, files: ["/run/secrets/key": lines])
        #expect(settings.apps.keys?.revealed == String(lines.dropLast()))
        #expect(!"\(settings.apps)".contains(Self.hush))
        let both = try SettingsExample.load(
            environment: named.merging(["TILLBRIDGE_KEY": "k3:here"]) { $1 }, files: ["/run/secrets/key": lines])
        #expect(both.apps.keys?.revealed == "k3:here")
        #expect(try SettingsExample.load().apps.keys == nil)
        let found = SettingsExample.problems(environment: ["TILLBRIDGE_KEY_FILE": "/run/secrets/absent"])
        #expect(found.map(\.description) == [
            "fleet.yaml: TILLBRIDGE_KEY_FILE: the file /run/secrets/absent cannot be read"
        ])
    }

    @Test("a file that cannot be read is a problem that names it")
    func missingFile() {
        let found = SettingsExample.problems(environment: [
            "TILLBRIDGE_RABBITMQ_URL": "", "TILLBRIDGE_RABBITMQ_URL_FILE": "/run/secrets/absent",
        ])
        let sentence = "TILLBRIDGE_RABBITMQ_URL_FILE: the file /run/secrets/absent cannot be read"
        #expect(found.contains { $0.description.hasSuffix(sentence) })
    }

    @Test("no way of printing shows a secret, inside of other values neither")
    func printing() throws {
        let secret = Secret(Self.hush)
        let credential = ClientCredential(id: "id", secret: secret)
        var dumped = ""
        dump(secret, to: &dumped)
        dump(credential, to: &dumped)
        let texts = [
            "\(secret)", String(describing: secret), String(reflecting: secret), secret.description,
            secret.debugDescription, dumped, "\(credential)", String(reflecting: credential), "\([secret])",
            "\(Optional(secret) as Any)", Mirror(reflecting: secret).children.map { "\($0)" }.joined(),
        ]
        for text in texts { #expect(!text.contains(Self.hush)) }
        #expect(secret.revealed == Self.hush)
        let settings = try SettingsExample.load()
        var everything = "\(settings)" + String(reflecting: settings)
        dump(settings, to: &everything)
        #expect(!everything.contains("hush"))
        #expect(everything.contains("Harbour Bistro"))
    }
}
