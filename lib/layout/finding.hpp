// What a check says: which rule, how bad, where, what was expected and found, and what to write instead.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fota::layout {

enum class Severity : std::uint8_t { error, warning, note };

/// A place in a file of the tree. `line` counts from 1; 0 means the file as a whole.
struct Where {
    std::string file;  ///< relative to the tree's root; "" when no file can be named
    unsigned line = 0;
};

struct Finding {
    std::string rule;  ///< name in the catalogue, such as "qspi-driver-on-spi-flash"
    Severity severity = Severity::error;
    std::string message;   ///< what is wrong and why it matters
    std::string expected;  ///< short; may be ""
    std::string found;     ///< short; may be ""
    Where where;
    std::string fix;  ///< what to write instead; several lines are separated by '\n'
};

/// Errors first, then warnings, then notes; within one severity the order stays. Every text becomes safe to print.
std::vector<Finding> in_order(std::vector<Finding> findings);

/// Collects findings for the rule that runs.
class Findings {
  public:
    void begin(std::string rule) {
        rule_ = std::move(rule);
        undecided_ = false;
    }

    Finding& add(Severity severity, Where where, std::string message) {
        list_.push_back({rule_, severity, std::move(message), {}, {}, std::move(where), {}});
        return list_.back();
    }

    /// The rule that runs found nothing, and what could tell is in sources that are not here.
    void leave_undecided() noexcept { undecided_ = true; }
    bool undecided() const noexcept { return undecided_; }

    std::vector<Finding>& list() noexcept { return list_; }
    const std::vector<Finding>& list() const noexcept { return list_; }

  private:
    std::string rule_;
    bool undecided_ = false;
    std::vector<Finding> list_;
};

}  // namespace fota::layout
