//! How much a message was, in elements of a datatype (MPI 5.0, 3.2.5 and 5.1.11). `None` is
//! `MPI_UNDEFINED`.

use super::Datatype;

impl Datatype {
    /// How many whole datatypes `bytes` bytes are (`MPI_Get_count`).
    pub fn count(&self, bytes: i64) -> Option<i64> {
        match self.size() {
            0 => (bytes == 0).then_some(0),
            size => (bytes % size == 0).then_some(bytes / size),
        }
    }

    /// How many basic elements `bytes` bytes are (`MPI_Get_elements`). The last datatype may be there
    /// in part, the last element may not.
    pub fn elements(&self, bytes: i64) -> Option<i64> {
        let size = self.size();
        if size == 0 {
            return (bytes == 0).then_some(0);
        }
        let rest = self.signature().elements_in(bytes % size)?;
        (bytes / size)
            .checked_mul(self.signature().elements())?
            .checked_add(rest)
    }

    /// How many bytes `elements` basic elements are (`MPI_Status_set_elements`); `None`: nothing is as
    /// large, or there are elements of a datatype without any.
    pub fn bytes_of_elements(&self, elements: i64) -> Option<i64> {
        let each = self.signature().elements();
        if each == 0 || elements < 0 {
            return (elements == 0).then_some(0);
        }
        let rest = self.signature().bytes_of(elements % each)?;
        (elements / each)
            .checked_mul(self.size())?
            .checked_add(rest)
    }
}
