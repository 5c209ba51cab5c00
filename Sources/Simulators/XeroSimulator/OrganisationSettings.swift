package import JSON

/// One organisation as it is configured: what the ledger starts with and what the control API may change.
package struct OrganisationSettings: Sendable {
    package var tenantID: String
    package var name: String
    var country: Country
    package var currency: String
    /// IANA name; answered in the vendor's form.
    package var timezone: String
    /// Options of the tracking category `Venue`.
    package var venues: [String]
    /// Nil takes the simulator's limits.
    var minuteLimit: Int?
    var dayLimit: Int?
    var concurrentLimit: Int?
    var periodLockDate: Day?
    var endOfYearLockDate: Day?
    var isOffline = false
    var isDisconnected = false

    package init(
        tenantID: String, name: String, country: String = "AU", currency: String? = nil,
        timezone: String = "Australia/Sydney", venues: [String] = []
    ) throws(SettingsError) {
        guard let country = Country(rawValue: country) else {
            throw SettingsError("the country '\(country)' of \(name) is none of AU, NZ, GB")
        }
        guard !tenantID.isEmpty else { throw SettingsError("an organisation needs a tenantId") }
        self.tenantID = tenantID
        self.name = name
        self.country = country
        self.currency = currency ?? country.currency
        self.timezone = timezone
        self.venues = venues
    }

    /// `tenantId|Name|AU|AUD|Australia/Sydney|Venue option 1,Venue option 2`; what is left out takes its default.
    package init(flag: String) throws(SettingsError) {
        let parts = flag.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        func part(_ index: Int) -> String? { index < parts.count && !parts[index].isEmpty ? parts[index] : nil }
        guard let tenantID = part(0) else { throw SettingsError("an organisation needs a tenantId: '\(flag)'") }
        try self.init(
            tenantID: tenantID, name: part(1) ?? tenantID, country: part(2) ?? "AU", currency: part(3),
            timezone: part(4) ?? "Australia/Sydney", venues: part(5)?.split(separator: ",").map(String.init) ?? [])
    }

    /// The members `tenantId`, `name`, `country`, `currency`, `timezone`, `venues` and those of `apply`.
    package init(_ json: JSON) throws(SettingsError) {
        guard let tenantID = json["tenantId"]?.string else { throw SettingsError("an organisation needs a tenantId") }
        try self.init(
            tenantID: tenantID, name: json["name"]?.string ?? tenantID, country: json["country"]?.string ?? "AU",
            currency: json["currency"]?.string, timezone: json["timezone"]?.string ?? "Australia/Sydney",
            venues: json["venues"]?.elements.compactMap(\.string) ?? [])
        try apply(json)
    }

    /// What may change while the simulator runs. An empty lock date takes the lock away.
    mutating func apply(_ json: JSON) throws(SettingsError) {
        if let value = json["name"]?.string { name = value }
        if let value = json["minuteLimit"]?.integer { minuteLimit = Int(value) }
        if let value = json["dayLimit"]?.integer { dayLimit = Int(value) }
        if let value = json["concurrentLimit"]?.integer { concurrentLimit = Int(value) }
        if let value = json["offline"]?.bool { isOffline = value }
        if let value = json["disconnected"]?.bool { isDisconnected = value }
        if let value = json["periodLockDate"]?.string { periodLockDate = try Self.day(value) }
        if let value = json["endOfYearLockDate"]?.string { endOfYearLockDate = try Self.day(value) }
    }

    private static func day(_ text: String) throws(SettingsError) -> Day? {
        if text.isEmpty { return nil }
        guard let day = Day(text: text) else { throw SettingsError("'\(text)' is no date") }
        return day
    }

    /// The vendor's name of the time zone.
    var vendorTimezone: String {
        switch timezone {
        case "Australia/Sydney", "Australia/Melbourne", "Australia/Canberra": "AUSEASTERNSTANDARDTIME"
        case "Australia/Brisbane": "EAUSTRALIASTANDARDTIME"
        case "Australia/Adelaide": "CENAUSTRALIASTANDARDTIME"
        case "Australia/Darwin": "AUSCENTRALSTANDARDTIME"
        case "Australia/Perth": "WAUSTRALIASTANDARDTIME"
        case "Australia/Hobart": "TASMANIASTANDARDTIME"
        case "Pacific/Auckland": "NEWZEALANDSTANDARDTIME"
        case "Europe/London": "GMTSTANDARDTIME"
        default: timezone
        }
    }
}

/// Settings that make no sense, in a sentence for whoever started the simulator.
package struct SettingsError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
