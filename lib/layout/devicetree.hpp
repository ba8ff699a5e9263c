// A small reader of devicetree source: a generated zephyr.dts, or overlays on top of a base that may be incomplete.
//
// Not a compiler: nothing is preprocessed (a project's own includes are put in place before). Preprocessor lines are skipped (line markers are followed),
// macros in values stay opaque, and a reference to an unknown label makes a node of its own (`&uart0`), since an
// overlay alone does not tell where the label lives. Format: Devicetree Specification 0.4, chapter 6.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "layout/finding.hpp"

namespace fota::layout {

struct DtItem {
    enum class Kind : std::uint8_t { number, reference, string, byte, opaque };
    Kind kind = Kind::number;
    std::uint64_t number = 0;
    std::string text;  ///< label or path of a reference, string, or the source of an opaque expression
};

struct DtProperty {
    std::vector<DtItem> items;  ///< flattened; empty for a boolean property
    Where where;

    /// The n-th number or byte, counting only those.
    std::optional<std::uint64_t> number(std::size_t n = 0) const;
    std::vector<std::uint8_t> bytes() const;
    bool has_string(std::string_view text) const;
};

struct DtNode {
    std::string name;  ///< "mx25r6435f@1"; "&label" for a node whose place is unknown
    std::vector<std::string> labels;
    std::map<std::string, DtProperty, std::less<>> properties;
    const DtNode* parent = nullptr;
    std::vector<DtNode*> children;
    Where where;
    bool deleted = false;

    const DtProperty* find(std::string_view property) const;
    bool compatible(std::string_view with) const;
    /// Status absent or "okay", as the specification says.
    bool okay() const;
    /// "/soc/peripheral@40000000/spi@b000/mx25r6435f@1"
    std::string path() const;
};

class Devicetree {
  public:
    Devicetree();
    ~Devicetree();
    Devicetree(Devicetree&&) noexcept;
    Devicetree& operator=(Devicetree&&) noexcept;

    /// Applies a source text on top of what is there. config_invalid with the line when it cannot be parsed, nests
    /// deeper than 32 nodes or holds more than 20,000 nodes or 200,000 values; what came before the fault stays
    /// applied.
    Result<> add(std::string_view text, const std::string& file);

    const DtNode& root() const;
    const DtNode* by_label(std::string_view label) const;
    const DtNode* by_path(std::string_view path) const;
    /// The node a `chosen` property points to; nullptr when absent or unknown.
    const DtNode* chosen(std::string_view name) const;
    const DtProperty* chosen_property(std::string_view name) const;
    /// Every node that was not deleted, parents first.
    std::vector<const DtNode*> nodes() const;
    bool empty() const;

    struct Store;

  private:
    std::unique_ptr<Store> store_;
};

/// Paths compare after the secure alias: peripheral@4… and peripheral@5… name one device on nRF91 and nRF53.
std::string device_path(std::string_view path);

}  // namespace fota::layout
