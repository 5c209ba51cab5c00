import Alerting
import Domain
import Mapping

extension CompanySettings {
    init(
        reading section: SettingsSection, _ environment: Environment, _ organisations: inout [OrganisationSettings],
        _ readTimeZone: (String) -> TimeZoneRules?
    ) {
        key = CompanyKey(section.key("key"))
        kountaID = section.required("kounta_company")
        let organisationText = section.required("organisation")
        organisation = OrganisationKey(organisationText)
        if !organisationText.isEmpty, !organisations.contains(where: { $0.key.text == organisationText }) {
            let hint = Nearness.nearest(to: organisationText, in: organisations.map(\.key.text))
            section.report(
                "no organisation has the key `\(organisationText)`" + (hint.map { ", did you mean `\($0)`?" } ?? ""),
                at: "organisation")
        }
        let zone = organisations.first { $0.key.text == organisationText }?.timeZone ?? .utc
        let firstDay = section.value("start_from", "a day such as 2026-07-01") { CalendarDate($0) }
        startFrom = firstDay.map(zone.midnight) ?? Instant(secondsSince1970: 0)
        if section.text("start_from") == nil {
            section.report(
                "is missing: the first day whose orders belong in Xero, such as 2026-07-01", at: "start_from")
        }
        callsPerMinute = section.integer("calls_per_minute", in: 0...1_000_000, default: 60)
        registers = section.names("registers")
        staff = section.names("staff")
        giftCardProducts = Set(section.texts("gift_card_products"))
        depositProducts = Set(section.texts("deposit_products"))
        surchargeProducts = Set(section.texts("surcharge_products"))
        currency = section.currency("currency")
        let chart = ChartNotes()
        if let currency { chart.note(.bookedCurrency(currency), section, "currency") }
        let index = organisations.firstIndex { $0.key.text == organisationText }
        var defaults = VenueDefaults(index.map { organisations[$0] })
        defaults.startFrom = firstDay
        venues = section.sections("venues").map { VenueSettings(reading: $0, defaults, chart, readTimeZone) }
        section.noteNames("registers", as: .register, venues, chart)
        section.noteNames("staff", as: .staff, venues, chart)
        if let index { organisations[index].references += chart.references }
        if venues.isEmpty { section.report("list at least one venue", at: "venues") }
        credential = environment.credential("KOUNTA_" + Environment.name(of: key.text))
        section.finish()
    }
}

extension VenueSettings {
    init(
        reading section: SettingsSection, _ defaults: VenueDefaults, _ chart: ChartNotes,
        _ readTimeZone: (String) -> TimeZoneRules?
    ) {
        site = SiteID(section.required("site"))
        name = section.required("name")
        prefix =
            section.value("prefix", "2 to 12 letters and digits") { text in
                let isPlain = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
                return isPlain && (2...12).contains(text.count) ? text : nil
            } ?? ""
        if section.text("prefix") == nil {
            section.report("is missing: what its invoice numbers begin with", at: "prefix")
        }
        tracking = section.text("tracking")
        if let tracking, let category = defaults.trackingCategory {
            chart.note(.trackingOption(category: category, option: tracking), section, "tracking")
        }
        contactNumber = section.text("contact_number") ?? "WALKIN-\(prefix)"
        if contactNumber.count > 50 { section.report("is longer than 50 characters", at: "contact_number") }
        contactName = section.text("contact_name") ?? "Walk-in customers \(name)"
        if contactName.count > 255 || contactName.contains(where: { "<>".contains($0) }) {
            section.report("must have at most 255 characters and no < or >", at: "contact_name")
        }
        tradingHours = section.value("trading_hours", WeeklyHours.expected) { WeeklyHours($0) }
        timeZoneName = section.text("timezone") ?? defaults.timeZoneName
        timeZone = section.timeZone(readTimeZone) ?? defaults.timeZone
        startFrom = defaults.startFrom.map(timeZone.midnight) ?? Instant(secondsSince1970: 0)
        taxTypes = defaults.taxTypes.merging(section.taxTypes(chart, isRequired: false)) { $1 }
        trackingSources = section.trackingSources(
            besides: defaults.trackingCategory, chart, default: defaults.trackingSources)
        let accountSection = section.section("accounts")
        accounts = defaults.accounts.overridden(by: accountSection, chart)
        accountSection?.finish()
        clearingAccounts = defaults.clearingAccounts.merging(section.clearingAccounts(chart)) { $1 }
        fallbackClearingAccount =
            section.accountCode("fallback_clearing_account", .payments, chart) ?? defaults.fallbackClearingAccount
        paymentTermDays = section.integer("payment_term_days", in: 0...365, default: defaults.paymentTermDays)
        brandingTheme = section.brandingTheme(chart) ?? defaults.brandingTheme
        posting = PostingPlan(reading: section.section("posting"), default: defaults.posting)
        section.finish()
    }
}

extension TimeZoneRules {
    /// When a day begins there.
    fileprivate func midnight(_ day: CalendarDate) -> Instant {
        let midnight = Instant(secondsSince1970: Int64(day.daysSince1970) * 86_400)
        // Twice: the first guess may lie on the other side of a change to daylight saving.
        let guess = midnight.adding(seconds: -Int64(offset(at: midnight)))
        return midnight.adding(seconds: -Int64(offset(at: guess)))
    }
}

extension PollingSettings {
    init(reading section: SettingsSection) {
        interval = section.duration("interval", default: .seconds(5))
        overlap = section.duration("overlap", default: .seconds(6 * 3600))
        rescanInterval = section.duration("rescan_interval", default: .seconds(3600))
        rescanWindow = section.duration("rescan_window", default: .seconds(3 * 86_400))
        correctionsInterval = section.duration("corrections_interval", default: .seconds(300))
        customersMaxAge = section.duration("customers_max_age", default: .seconds(3600))
        customersWaitMax = section.duration("customers_wait_max", default: .seconds(3600))
        concurrency = section.integer("concurrency", in: 1...64, default: 4)
        leaseDuration = section.duration("lease", default: .seconds(6))
        for (key, duration) in [("customers_max_age", customersMaxAge), ("customers_wait_max", customersWaitMax)]
        where duration > .seconds(7 * 86_400) {
            section.report("must be at most 7d", at: key)
        }
        section.finish()
    }
}

extension MappingSettings {
    init(reading section: SettingsSection) {
        batch = section.integer("batch", in: 1...1000, default: 120)
        linger = section.duration("linger", default: .milliseconds(10))
        prefetch = section.integer("prefetch", in: 1...2000, default: 400)
        recordBytesMax = section.integer("record_bytes_max", in: 1000...16_000_000, default: 1_000_000)
        basis = section.choice("basis", default: Basis.rules)
        closeDelay = section.duration("close_delay", default: .seconds(120))
        section.finish()
    }
}

extension WritingSettings {
    init(reading section: SettingsSection) {
        batch = section.integer("batch", in: 1...50, default: 50)
        linger = section.duration("linger", default: .milliseconds(200))
        batchesInFlight = section.integer("batches_in_flight", in: 1...5, default: 4)
        leaseDuration = section.duration("lease", default: .seconds(120))
        handMax = section.duration("hand_max", default: .seconds(300))
        if handMax > .seconds(600) {
            section.report("must be at most 10m: a broker waits no longer than 30m", at: "hand_max")
        }
        appCallsPerMinute = section.integer("app_calls_per_minute", in: 0...100_000_000, default: 10_000)
        section.finish()
    }
}

extension DeskSettings {
    init(reading section: SettingsSection) {
        replaysPerSecond = section.integer("replays_per_second", in: 1...10_000, default: 1000)
        probeInterval = section.duration("probe_interval", default: .seconds(60))
        section.finish()
    }
}

extension CallReserve {
    init(reading section: SettingsSection?) {
        self.init(
            people: section?.integer("reserve_people", in: 0...1_000_000, default: 0) ?? 0,
            reads: section?.integer("reserve_reads", in: 0...1_000_000, default: 0) ?? 0,
            posting: section?.integer("reserve_posting", in: 0...1_000_000, default: 10) ?? 10)
    }
}

extension ConnectionSettings {
    init(reading environment: Environment) {
        rabbitMQ = Secret(
            environment.required("RABBITMQ_URL", "the broker's address, such as amqp://user:password@host:5672/"))
        database = Secret(
            environment.required("DATABASE_URL", "the database's address, such as postgresql://user:password@host/db"))
        schema = environment.plainName("DATABASE_SCHEMA", default: "tillbridge")
        queuePrefix = environment.plainName("QUEUE_PREFIX", default: "tillbridge")
        kounta = environment.value("KOUNTA_URL") ?? "https://api.kounta.com"
        xero = environment.value("XERO_URL") ?? "https://api.xero.com"
        xeroIdentity = environment.value("XERO_IDENTITY_URL") ?? "https://identity.xero.com"
        health = environment.value("HEALTH_ADDRESS") ?? "127.0.0.1:0"
        trustedCertificates = environment.value("TRUSTED_CERTIFICATES")
        grace = environment.duration("GRACE_PERIOD", default: .seconds(30))
    }
}
