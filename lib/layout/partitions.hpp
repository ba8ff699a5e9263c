// Partition Manager's tables: partitions.yml of a build and pm_static*.yml of a source tree.
//
// Keys: nRF Connect SDK, scripts/partition_manager. A partition with `span` or `orig_span` is a container of others.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "layout/finding.hpp"

namespace fota::layout {

struct Partition {
    std::string name;
    std::uint64_t address = 0;  ///< bytes from the region's start; 32 bits
    std::uint64_t size = 0;     ///< bytes; 0 only when `placed` is false
    bool placed = false;        ///< address and size are both known
    std::string region = "flash_primary";
    bool container = false;
    Where where;

    std::uint64_t end() const noexcept { return address + size; }
    bool external() const noexcept { return region == "external_flash"; }
    bool overlaps(const Partition& other) const noexcept {
        return region == other.region && placed && other.placed && address < other.end() && other.address < end();
    }
};

class PartitionTable {
  public:
    /// config_invalid with the line when the text is no YAML map of maps or holds an impossible value: a size of 0, a
    /// negative number, one past 32 bits, an end_address that is not address + size.
    static Result<PartitionTable> parse(std::string_view text, const std::string& file);

    const Partition* find(std::string_view name) const;
    const std::vector<Partition>& all() const noexcept { return partitions_; }
    const std::string& file() const noexcept { return file_; }
    void add(Partition partition) { partitions_.push_back(std::move(partition)); }

    /// Placed partitions of a region that are no containers, by address.
    std::vector<const Partition*> leaves(std::string_view region) const;

  private:
    std::vector<Partition> partitions_;
    std::string file_;
};

}  // namespace fota::layout
