#include "release/timestamp.hpp"

#include <fmt/format.h>

#include <optional>

#include "base/text.hpp"

namespace fota::release {
namespace {

/// Takes what it reads off the front; the first thing that does not fit ends it.
class Reader {
  public:
    explicit Reader(std::string_view text) : rest_(text) {}

    int number(std::size_t digits, int most) {
        int out = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            if (i >= rest_.size() || rest_[i] < '0' || rest_[i] > '9') return wrong();
            out = out * 10 + (rest_[i] - '0');
        }
        rest_.remove_prefix(digits);
        return out <= most ? out : wrong();
    }
    /// One of these, in lower or upper case.
    char one_of(std::string_view marks) {
        if (rest_.empty() || !marks.contains(rest_.front())) {
            wrong();
            return '\0';
        }
        const char out = rest_.front();
        rest_.remove_prefix(1);
        return out;
    }
    void fraction() {
        if (!rest_.starts_with('.')) return;
        rest_.remove_prefix(1);
        number(1, 9);
        while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') rest_.remove_prefix(1);
    }
    bool good() const { return good_ && rest_.empty(); }

  private:
    int wrong() {
        good_ = false;
        rest_ = {};
        return 0;
    }
    std::string_view rest_;
    bool good_ = true;
};

std::optional<Timestamp> read(std::string_view text) {
    Reader reader(text);
    const int year = reader.number(4, 9999);
    reader.one_of("-");
    const int month = reader.number(2, 12);
    reader.one_of("-");
    const int day = reader.number(2, 31);
    reader.one_of("Tt ");
    const int hour = reader.number(2, 23);
    reader.one_of(":");
    const int minute = reader.number(2, 59);
    reader.one_of(":");
    const int second = reader.number(2, 59);
    reader.fraction();
    const char zone = reader.one_of("Zz+-");
    int offset = 0;
    if (zone == '+' || zone == '-') {
        offset = reader.number(2, 23) * 60;
        reader.one_of(":");
        offset += reader.number(2, 59);
        if (zone == '-') offset = -offset;
    }
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!reader.good() || !date.ok()) return std::nullopt;
    const Timestamp out = std::chrono::sys_days(date) + std::chrono::hours(hour) +
                          std::chrono::minutes(minute - offset) + std::chrono::seconds(second);
    constexpr Timestamp end_of_years{std::chrono::seconds(253'402'300'800)};
    if (out < Timestamp{} || out >= end_of_years) return std::nullopt;
    return out;
}

}  // namespace

std::string timestamp_text(Timestamp time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count());
}

Result<Timestamp> parse_timestamp(std::string_view text) {
    const auto time = text.size() <= 64 ? read(text) : std::nullopt;
    if (!time)
        return fail(Errc::config_invalid,
                    fmt::format("expected a time such as 2027-01-31T12:00:00Z, found \"{}\"", printable(text, 64)));
    return *time;
}

}  // namespace fota::release
